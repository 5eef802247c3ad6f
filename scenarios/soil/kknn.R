#!/usr/bin/Rscript --vanilla
# Predicts by weighted k-nearest neighbours: kknn TRAIN.csv EVAL.csv OUTPUT.csv
# and draws the prediction, as OUTPUT.png.
# The last column of TRAIN is the target, the others are what EVAL has too. Neighbours are found in
# standardized coordinates; their weights fall from 1 to 0 with the distance, as a triangle.
suppressMessages(library(FNN))
source("/usr/local/lib/soil/map.R")
paths <- commandArgs(trailingOnly = TRUE)
known <- read.csv(paths[1])
points <- read.csv(paths[2])
k <- 7
target <- ncol(known)
centre <- colMeans(known[, -target])
spread <- apply(known[, -target], 2, sd)
near <- get.knnx(
    scale(known[, -target], centre, spread), scale(points, centre, spread), k = k + 1
)
# The next farther neighbour would get the weight 0.
reach <- pmax(near$nn.dist[, k + 1], 1e-12)
weight <- pmax(1 - near$nn.dist[, 1:k] / reach, 1e-12)
value <- matrix(known[near$nn.index[, 1:k], target], ncol = k)
found <- rowSums(weight * value) / rowSums(weight)
rows <- data.frame(
    lat = sprintf("%.12f", points$lat),
    lon = sprintf("%.12f", points$lon),
    soil_moisture = sprintf("%.12f", found)
)
write.csv(rows, paths[3], row.names = FALSE, quote = FALSE)
draw_map(
    sub("csv$", "png", paths[3]), "Synthetic region: weighted k-nearest neighbours", points, found, known
)
cat(sprintf("%d points, mean %.4f\n", length(found), mean(found)))
