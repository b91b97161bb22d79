# Mean action units of each person, from a file in the layout of OpenFace. Base R only.
#
#   pyojeong video walk.mp4 --out results --action-units --layout openface
#   Rscript read_openface.R results/walk/openface.csv
#
# Prints the means and draws them into openface.units.pdf beside the file.

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) != 1) stop("usage: Rscript read_openface.R openface.csv")
file <- arguments[1]

# The header has a space after each comma; strip.white takes it away.
faces <- read.csv(file, strip.white = TRUE, check.names = FALSE, fileEncoding = "UTF-8")
faces <- faces[faces$success == 1, ]
if (nrow(faces) == 0) stop("no face in this file")

# Units that were not measured are empty in every row: NA.
units <- grep("^AU[0-9]+_r$", names(faces), value = TRUE)
measured <- units[colSums(!is.na(faces[units])) > 0]
cat("faces:", nrow(faces), " people:", length(unique(faces$face_id)), "\n")
cat("not measured:", setdiff(units, measured), "\n")
if (length(measured) == 0) stop("action units were not measured")

# Means on OpenFace's scale of 0 to 5, over the frames in which a unit was measured.
means <- aggregate(faces[measured], by = list(person = faces$face_id), FUN = mean, na.rm = TRUE)
print(means, digits = 3)

# One group of bars for each unit, one bar for each person.
page <- sub("\\.csv$", ".units.pdf", file)
pdf(page, width = 10, height = 5)
bars <- as.matrix(means[measured])
bars[is.nan(bars)] <- NA
barplot(
  bars,
  beside = TRUE, names.arg = sub("_r$", "", measured), las = 2, ylim = c(0, 5),
  ylab = "mean intensity (0 to 5)", main = basename(file),
  legend.text = paste("person", means$person), args.legend = list(x = "topright", bty = "n")
)
invisible(dev.off())
cat("drawn:", page, "\n")
