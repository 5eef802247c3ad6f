# Draws what a model has predicted as a map, into a PNG file: draw_map(FILE, TITLE, POINTS, FOUND, KNOWN)
# FOUND is the soil moisture at each of POINTS (lat and lon of a 1 km grid); the training points,
# KNOWN, are circles filled with the colour of what was measured there.
draw_map <- function(file, title, points, found, known) {
    limits <- c(0.12, 0.28) # m³/m³; the same in every map, so that two can be compared
    colours <- hcl.colors(160, "YlGnBu", rev = TRUE)
    shade <- function(value) {
        part <- (value - limits[1]) / diff(limits)
        colours[pmin(160, pmax(1, ceiling(160 * part)))]
    }
    png(file, 1000, 660, res = 110, type = "cairo")
    layout(matrix(1:2, 1), widths = c(1, 0.16))

    par(mar = c(3.6, 4.2, 2.6, 0.4), mgp = c(2.6, 0.7, 0), las = 1)
    middle <- cos(mean(range(points$lat)) * pi / 180)
    plot(
        range(points$lon), range(points$lat), type = "n", asp = 1 / middle, axes = FALSE,
        xlab = "", ylab = "", main = title, font.main = 1
    )
    # Half a cell, and a little more against seams.
    high <- 0.55 / 111.2
    wide <- high / cos(points$lat * pi / 180)
    rect(
        points$lon - wide, points$lat - high, points$lon + wide, points$lat + high,
        col = shade(found), border = NA
    )
    points(known$lon, known$lat, pch = 21, cex = 1.1, bg = shade(known[, ncol(known)]))
    west <- axTicks(1)
    axis(1, west, parse(text = sprintf("%.1f*degree*W", -west)))
    north <- axTicks(2)
    axis(2, north, parse(text = sprintf("%.1f*degree*N", north)))
    box()
    # 50 km at the latitude of the bar.
    left <- min(points$lon)
    low <- min(points$lat)
    segments(left, low, left + 50 / 111.2 / cos(low * pi / 180), low, lwd = 3, lend = 1)
    text(left + 25 / 111.2 / cos(low * pi / 180), low, "50 km", pos = 3, offset = 0.3, cex = 0.85)
    legend(
        "topright", sprintf("%d training points, as measured", nrow(known)),
        pch = 21, pt.bg = colours[80], bty = "n", cex = 0.85
    )

    par(mar = c(3.6, 0.6, 2.6, 4.2))
    bar <- seq(limits[1], limits[2], length.out = 160)
    image(1, bar, matrix(bar, 1), col = colours, axes = FALSE, xlab = "", ylab = "")
    axis(4)
    mtext("volumetric soil moisture (m³/m³)", 4, line = 3, las = 0, cex = 0.85)
    box()
    invisible(dev.off())
}
