"""Fully connected Forward-Forward networks, the article's and Hinton's, and backprop beside them."""

from evidence.studies.catalogue import Study, change

FF = dict(rule="ff", dataset="mnist", label="pixels", widths=[784] + [1000] * 3, network=dict(norm="layer"),
          epochs=60, batch_size=100, lr=1e-3, shift=0, readout_epochs=10, splits=["validation", "test"])
BP = dict(rule="bp", dataset="mnist", widths=[784, 1000, 1000, 1000], network={},
          epochs=20, batch_size=100, lr=1e-3, shift=0, readout_epochs=0, splits=["validation", "test"])
ARTICLE = dict(rule="article", dataset="mnist", widths=[784, 512, 512], lr=0.03, steps=1000, batches=3,
               batch_images=20_000, network=dict(goodness="mean", threshold=3.0, norm="length"))
TRIAL = change(FF, dict(epochs=10, train_images=20_000, readout_epochs=0, splits=["validation"]))
HARD, SHIFTS = dict(network=dict(negatives="hard")), dict(shift=1)
MINIATURE = dict(epochs=3, train_images=10_000)

STUDIES = [
    Study("article", "The article's network: [784, 512, 512], layer after layer on three batches of 20,000",
          ARTICLE, [{}], quick=dict(steps=200, batch_images=2_000)),
    Study("ff-mlp-choices",
          "What each choice gains in mini-batch FF, 3×1000: 20,000 images, 10 epochs, validation",
          TRIAL, {
              "random negatives": {},
              "hard negatives": HARD,
              "shifts": SHIFTS,
              "hard negatives and shifts": HARD | SHIFTS,
              "mean not subtracted": dict(network=dict(norm="rms")),
              "rate 3e-3": dict(lr=3e-3),
              "peer normalisation": dict(network=dict(peer=0.03)),
              "symmetric loss": dict(network=dict(loss="symmetric")),
              "mean goodness": dict(network=dict(goodness="mean")),
          }, quick=dict(epochs=2, train_images=5_000)),
    Study("ff-mlp", "Mini-batch FF, 3×1000: the best choices; the plain rule (random negatives, no shifts)",
          FF, {"hard negatives and shifts": HARD | SHIFTS, "the plain rule": {}}, MINIATURE),
    Study("ff-unsupervised", "Learning without labels from hybrid images, 3×1000, then a linear read-out",
          change(FF, dict(label="hybrids", epochs=20, readout_epochs=20)),
          {"shifts": SHIFTS, "no shifts": {}}, MINIATURE),
    Study("bp-mlp", "The control: backpropagation through the same blocks, with and without shifts",
          BP, {"shifts": SHIFTS, "no shifts": {}}, MINIATURE),
]
