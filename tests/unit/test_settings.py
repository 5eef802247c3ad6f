"""The settings of a user and a site: what is read, what is refused, what counts more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sifprov import settings
from sifprov.errors import FileError
from sifprov.settings import Settings, load, load_or_default


class Home:
    """A home folder of a test, and a site's file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "home" / ".config" / "sifprov" / "config.ini"
        self.file.parent.mkdir(parents=True)
        self.site = folder / "site.ini"
        self.environ = {"HOME": str(folder / "home")}

    def write(self, text: str, mode: int = 0o600) -> None:
        self.file.write_text(text)
        self.file.chmod(mode)

    def load(self, **environ: str) -> Settings:
        return load(self.environ | environ, site=str(self.site))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_without_a_file_the_defaults_hold(home: Home) -> None:
    assert home.load() == Settings()


def test_every_key_is_read(home: Home) -> None:
    home.write(
        "# a comment\n[capture]\ndigest = full\ncache = no\nro_inputs = no\n"
        "environment = MY_SEED, SLURM_*\nmetadata = /data/100%/meta.sif\nlog_bytes = 64K\n"
        "live = yes\n"
    )
    assert home.load() == Settings(
        digest="full",
        cache=False,
        ro_inputs=False,
        environment=("MY_SEED", "SLURM_*"),
        metadata="/data/100%/meta.sif",
        log_bytes=65536,
        live=True,
    )


@pytest.mark.parametrize(
    ("value", "wanted"), [("1", True), ("yes", True), ("0", False), ("no", False), ("", False)]
)
def test_reports_are_switched_by_a_variable(home: Home, value: str, wanted: bool) -> None:
    home.write(f"[capture]\nlive = {'no' if wanted else 'yes'}\n")
    assert home.load(SIFPROV_LIVE=value).live is wanted
    with pytest.raises(FileError, match="SIFPROV_LIVE"):
        home.load(SIFPROV_LIVE="perhaps")


def test_the_folder_of_xdg_counts_when_it_is_absolute(home: Home, tmp_path: Path) -> None:
    home.write("[capture]\ndigest = full\n")
    assert home.load(XDG_CONFIG_HOME=str(tmp_path / "other")).digest == "fast"
    assert home.load(XDG_CONFIG_HOME="relative").digest == "full"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a site's file")
def test_what_counts_more(home: Home) -> None:
    home.site.write_text("[capture]\ndigest = none\ncache = no\nlog_bytes = 1\n")
    home.site.chmod(0o644)
    home.write("[capture]\ndigest = full\ncache = yes\n")
    found = home.load(SIFPROV_DIGEST="fast", SIFPROV_RO_INPUTS="no")
    assert found == Settings(digest="fast", cache=True, ro_inputs=False, log_bytes=1)


def test_a_relative_metadata_container_is_one_of_the_working_directory(home: Home) -> None:
    assert home.load(SIFPROV_METADATA="m.sif").metadata == os.path.abspath("m.sif")
    home.write("[capture]\nmetadata = /x/m.sif\n")
    assert home.load(SIFPROV_METADATA="").metadata == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[capture]\ndigets = full\n", "[capture] digets: unknown key"),
        ("[capture]\ndigest = FULL\n", "[capture] digest: 'FULL' is neither full, fast nor none"),
        ("[capture]\ncache = 1\n", "[capture] cache: '1' is neither yes nor no"),
        ("[capture]\nenvironment = *\n", "no list of variable names"),
        ("[capture]\nenvironment = A=B\n", "no list of variable names"),
        ("[capture]\nmetadata = m.sif\n", "no absolute path"),
        ("[capture]\nlog_bytes = -1\n", "no size"),
        ("[Capture]\n", "unknown section [Capture]"),
        ("[DEFAULT]\ndigest = full\n", "unknown section [DEFAULT]"),
        ("digest = full\n", "no section headers"),
        ("[capture]\ndigest = full\ndigest = none\n", "already exists"),
        ("[capture]\ndigest\n", "parsing errors"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_its_place(home: Home, text: str, said: str) -> None:
    home.write(text)
    with pytest.raises(FileError) as error:
        home.load()
    assert str(home.file) in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", 0), ("no", 0), ("0", 0), ("false", 0), ("yes", 1_000_000), ("True", 1_000_000),
        ("1", 1_000_000), ("0.5", 500_000), ("100ms", 100_000), ("2.5s", 2_500_000),
        (" 1M ", 60_000_000), ("1h", 3600_000_000),
    ],
)  # fmt: skip
def test_how_often_to_measure(home: Home, text: str, found: int) -> None:
    assert home.load(SIFPROV_TELEMETRY=text).telemetry == found
    home.write(f"[capture]\ntelemetry = {text}\n")
    assert home.load().telemetry == found


@pytest.mark.parametrize(
    "text", ["99ms", "1.1h", "-1", "inf", "nan", "1e999", "5x", "s", "ms", "1 s s", "\u0661s", "1d"]
)
def test_what_is_no_time_to_measure_by(home: Home, text: str) -> None:
    with pytest.raises(FileError, match=r"\$SIFPROV_TELEMETRY: .* a time from 100ms to 1h"):
        home.load(SIFPROV_TELEMETRY=text)


def test_a_variable_that_cannot_be_is_named(home: Home) -> None:
    with pytest.raises(FileError, match=r"\$SIFPROV_CACHE: 'maybe' is neither yes nor no"):
        home.load(SIFPROV_CACHE="maybe")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_left_out(home: Home, mode: int) -> None:
    home.write("[capture]\ndigest = none\n", mode)
    found = home.load()
    assert found.digest == "fast"
    (warning,) = found.warnings
    assert str(home.file) in warning
    assert "others than" in warning


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_left_out(home: Home) -> None:
    home.write("[capture]\ndigest = none\n")
    os.chown(home.file, 12345, 12345)
    assert home.load().digest == "fast"
    home.site.write_text("[capture]\ndigest = none\n")
    os.chown(home.site, 12345, 12345)
    assert len(home.load().warnings) == 2


def test_what_is_no_small_text_is_left_out(home: Home) -> None:
    os.mkfifo(home.file)
    assert "no regular file" in home.load().warnings[0]
    home.file.unlink()
    home.write("#" * 70_000)
    assert "more than" in home.load().warnings[0]
    home.file.write_bytes(b"[capture]\n\xff")
    assert "not UTF-8" in home.load().warnings[0]


def test_the_helper_goes_on_without_a_broken_file(home: Home) -> None:
    home.write("[capture]\ndigest = fulll\ncache = no\n")
    found = load_or_default(home.environ, site=str(home.site))
    assert found == Settings(warnings=found.warnings)
    assert "fulll" in found.warnings[0]


def test_the_home_comes_from_the_password_database_where_home_is_missing() -> None:
    import pwd

    assert settings.home_folder({}) == pwd.getpwuid(os.getuid()).pw_dir
    assert settings.home_folder({"HOME": "relative"}) == settings.home_folder({})


def test_without_a_file_reading_costs_nothing(home: Home) -> None:
    code = "import sys, sifprov.settings as s; s.load({'HOME': '/nowhere'}, site='/nowhere/x')"
    code += "; print('configparser' in sys.modules, 'decimal' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    begin = time.perf_counter()
    for _ in range(100):
        home.load()
    assert (time.perf_counter() - begin) / 100 < 0.001
