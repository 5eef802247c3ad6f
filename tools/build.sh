# Read by the tools that build a runtime: words on stderr, and one build at a time in the cache.
# They set $top, the folder that a build fills.

say() { printf 'runtime: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# step WHAT COMMAND…: runs it with its output in the log, and says how long it took.
step() {
    local what=$1 began=$SECONDS
    shift
    say "$what …"
    if ! "$@" >>"$top/build.log" 2>&1; then
        tail -n 25 "$top/build.log" >&2
        die "$what failed; the whole log is $top/build.log"
    fi
    say "$what: $((SECONDS - began)) s"
}

# lock_build CACHE NAME: waits for another build; returns 1 when that one has finished the work.
lock_build() {
    mkdir -p "$1"
    exec 9>"$1/.$2.lock"
    flock -n 9 || { say "another build is under way, waiting for it"; flock 9; }
    [ ! -e "$top/.complete" ]
}

# fresh_top MEGABYTES: an empty $top on a file system that can hold a runtime.
fresh_top() {
    local cache free
    cache=$(dirname "$top")
    # What an interrupted build left behind is of no use.
    rm -rf "$top"
    free=$(df -Pm "$cache" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$1" ] ||
        die "$cache has $free MB free, the build needs $1; SIFPROV_BUILD_CACHE chooses another folder"
    case ,$(findmnt -n -o OPTIONS -T "$cache"), in
        *,nosuid,* | *,noexec,*)
            die "$cache is mounted nosuid or noexec, so a runtime could not work there; SIFPROV_BUILD_CACHE chooses another folder" ;;
    esac
    mkdir -p "$top"
}
