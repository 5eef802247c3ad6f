#!/usr/bin/Rscript --vanilla
# Predicts by a random forest: forest TRAIN.csv EVAL.csv OUTPUT.csv
# and draws the prediction, as OUTPUT.png.
# The last column of TRAIN is the target, the others are what EVAL has too.
suppressMessages(library(randomForest))
source("/usr/local/lib/soil/map.R")
paths <- commandArgs(trailingOnly = TRUE)
known <- read.csv(paths[1])
points <- read.csv(paths[2])
target <- ncol(known)
set.seed(1)
model <- randomForest(known[, -target], known[, target], ntree = 2000)
found <- predict(model, points)
rows <- data.frame(
    lat = sprintf("%.12f", points$lat),
    lon = sprintf("%.12f", points$lon),
    soil_moisture = sprintf("%.12f", found)
)
write.csv(rows, paths[3], row.names = FALSE, quote = FALSE)
draw_map(
    sub("csv$", "png", paths[3]), "Synthetic region: random forest", points, found, known
)
cat(sprintf("%d points, mean %.4f\n", length(found), mean(found)))
