"""The FF-CNN paper's networks and search (Scodellaro et al.), and backprop on the same blocks."""

from evidence.studies.catalogue import Study, change

# The paper's best network (Section 3.1) in the strictly local reading, and its control.
FF_CNN = dict(rule="ff", dataset="mnist", label="fourier", labels=dict(set=1, strength=0.35),
              blocks=dict(channels=1, widths=[128] * 3, kernel=7),
              network=dict(norm="layer", first_loss=1, first_judge=1, local=True),
              epochs=200, validate_every=5, batch_size=50, lr=5e-4, shift=0, readout_epochs=10,
              splits=["validation", "test"])
BP_CNN = dict(rule="bp", dataset="mnist", blocks=dict(channels=1, widths=[16] * 3, kernel=5), network={},
              epochs=200, validate_every=5, batch_size=50, lr=1e-3, shift=0, readout_epochs=0,
              splits=["validation", "test"])


def filters(width: int, kernel: int) -> dict:
    """Three blocks of so many filters."""
    return dict(blocks=dict(widths=[width] * 3, kernel=kernel))


def stack(*widths: int, kernel: int, pool: bool = False) -> dict:
    """Blocks of these widths, at the best rate of `ff-cnn-choices` or, with 128 filters, at half of it.

    Pooled maps are padded: nothing is left for unpadded 7×7 filters after two.
    """
    pooled = dict(padding="same", pool="max") if pool else {}
    rate = 5e-4 if max(widths) == 128 else 1e-3
    return dict(blocks=dict(widths=list(widths), kernel=kernel) | pooled, lr=rate)


def even(width: int, kernel: int) -> dict:
    """Three blocks of so many filters at their rate."""
    return stack(width, width, width, kernel=kernel)


LOCAL, THROUGH = dict(network=dict(local=True)), dict(network=dict(local=False))  # the two readings
FIRST = dict(network=dict(first_loss=0, first_judge=0))  # block 1 has a loss of its own and a say
SEARCH = change(FF_CNN, dict(epochs=40))  # Section 3.2 at a fifth of its length
TRIAL = change(FF_CNN, filters(32, 7),
               dict(train_images=10_000, epochs=10, validate_every=10, readout_epochs=0,
                    splits=["validation"]))
MAPS = filters(32, 7) | dict(lr=1e-3, epochs=10, train_images=20_000, validate_every=10)
WIDTHS, KERNELS = (16, 32, 64, 128), (3, 5, 7)

# What a miniature of the search changes: 240 steps of 50 images.
MINIATURE = dict(train_images=2_000, validation_images=1_000, epochs=6, lr=1e-3, readout_epochs=4,
                 validate_every=None, splits=["validation"])
GLANCE = dict(epochs=2, train_images=2_000)

STUDIES = [
    Study("ff-cnn-choices",
          "What each choice that the FF-CNN paper leaves open gains: 32 filters 7×7, 10,000 images, 10 "
          "epochs, validation",
          TRIAL, [
              {},
              THROUGH,
              dict(network=dict(first_loss=0)),
              FIRST,
              change(THROUGH, FIRST),
              dict(network=dict(norm="rms")),
              dict(lr=1e-3),
              dict(lr=5e-5),
              dict(network=dict(goodness="place")),
              dict(weights="fan-out"),
              dict(network=dict(loss="symmetric")),
              dict(network=dict(negatives="hard")),
              dict(labels=dict(set=2)),
              THROUGH | dict(lr=5e-5),
              THROUGH | dict(lr=1e-3),
              THROUGH | dict(weights="fan-out"),
              dict(network=dict(goodness="channel")),
              dict(blocks=dict(padding="same")),
          ], GLANCE),
    Study("ff-cnn-search",
          "Comparisons of Section 3.2 in short: 32 filters 7×7, 10,000 images, 10 epochs, validation",
          TRIAL, {
              "as it is": {},
              "label set 2": dict(labels=dict(set=2)),
              "layer 1 has a loss and a say": FIRST,
              "K = 15 %": dict(labels=dict(strength=0.15)),
              "batches of 25": dict(batch_size=25),
              "batches of 100": dict(batch_size=100),
              "padded": dict(blocks=dict(padding="same")),
              "padded, max pooling": dict(blocks=dict(padding="same", pool="max")),
              "128 filters 3×3": filters(128, 3),
          }, GLANCE),
    Study("ff-cnn-one-factor",
          "Section 3.2, one factor at a time from one base: 32 filters 7×7, all images, 40 epochs",
          change(SEARCH, even(32, 7)), {
              "as it is": {},
              "label set 2": dict(labels=dict(set=2)),
              "K = 15 %": dict(labels=dict(strength=0.15)),
              "layer 1 has a loss and a say": FIRST,
              "batches of 25": dict(batch_size=25),
              "batches of 100": dict(batch_size=100),
              "16 filters 5×5, padded": change(filters(16, 5), dict(blocks=dict(padding="same"))),
              "16 filters 5×5, padded, max pooling": stack(16, 16, 16, kernel=5, pool=True),
          }, MINIATURE),
    Study("ff-cnn-small-rates",
          "The learning rate of 16 filters 5×5 in both readings: 10,000 images, 10 epochs, validation",
          change(TRIAL, filters(16, 5)),
          [reading | dict(lr=lr) for reading in (LOCAL, THROUGH) for lr in (5e-4, 1e-3, 2e-3, 4e-3)], GLANCE),
    Study("ff-cnn-rates",
          "The learning rate of 128 filters 7×7 in both readings: 10,000 images, 10 epochs, validation",
          change(TRIAL, filters(128, 7)),
          [reading | dict(lr=lr) for lr in (5e-4, 1e-3, 2e-3) for reading in (LOCAL, THROUGH)], GLANCE),
    Study("ff-cnn-small", "The paper's smallest FF-CNN, 16 filters 5×5, at full length in both readings",
          change(FF_CNN, filters(16, 5), dict(lr=4e-3)), [THROUGH, LOCAL],
          quick=dict(epochs=3, train_images=5_000)),
    Study("ff-cnn-wide",
          "A wider FF-CNN in both readings, 32 filters 7×7 on all images, for as long as two CPU cores allow",
          change(FF_CNN, filters(32, 7), dict(lr=1e-3, epochs=40)), [LOCAL, THROUGH], GLANCE),
    Study("ff-cnn", "The paper's best FF-CNN, 128 filters 7×7, in both readings: a fifth of its length",
          FF_CNN, [reading | dict(epochs=40) for reading in (THROUGH, LOCAL)], GLANCE),
    Study("ff-cnn-long", "The paper's best FF-CNN, 128 filters 7×7, in both readings, at full length",
          FF_CNN, [THROUGH, LOCAL], GLANCE),
    Study("ff-cnn-filters",
          "Figure 3A: 16 to 128 filters 7×7 in both readings, each width at its rate, "
          "a fifth of the paper's length",
          SEARCH, [reading | even(width, 7) for reading in (LOCAL, THROUGH) for width in WIDTHS], MINIATURE),
    Study("bp-cnn-filters", "Figure 3A: 16 to 128 filters 7×7 by backpropagation",
          change(BP_CNN, dict(epochs=40)), [filters(width, 7) for width in WIDTHS],
          quick={key: value for key, value in MINIATURE.items() if key != "readout_epochs"}),
    Study("ff-cnn-batches",
          "Figure 4A: filters of 3×3, 5×5 and 7×7 at batches of 25, 50 and 100 images, 32 filters (how many "
          "is not said)",
          SEARCH, [even(32, kernel) | dict(batch_size=batch) for kernel in KERNELS
                   for batch in (25, 50, 100)], MINIATURE),
    Study("ff-cnn-kernels", "Figure 4B: filters of 3×3, 5×5 and 7×7, 16 to 128 of them",
          SEARCH, [even(width, kernel) for kernel in KERNELS for width in WIDTHS], MINIATURE),
    Study("ff-cnn-readouts", "Table 1: goodness against the linear classifier for three networks",
          SEARCH, [even(128, 7), even(128, 5), even(128, 3) | dict(batch_size=25)], MINIATURE),
    Study("ff-cnn-strength",
          "Figure 5: label strength K from 15 to 55 % for 32, 64 and 128 filters 7×7 at batches of 25 and 50",
          change(SEARCH, dict(epochs=20)),
          [even(width, 7) | dict(batch_size=batch, labels=dict(strength=strength))
           for width in (32, 64, 128) for batch in (25, 50) for strength in (0.15, 0.25, 0.35, 0.45, 0.55)],
          MINIATURE | dict(train_images=1_000)),
    Study("ff-cnn-label-sets", "Table 2: label sets 1 and 2 for four networks",
          SEARCH, [even(width, kernel) | dict(batch_size=batch, labels=dict(set=number))
                   for width, kernel, batch in ((32, 3, 50), (32, 7, 25), (64, 3, 50), (128, 3, 50))
                   for number in (1, 2)],
          MINIATURE),
    Study("ff-cnn-first-layer", "Figure 9: the first layer left out of loss and goodness, or in both, in "
                                "both readings",
          SEARCH, [LOCAL, change(LOCAL, FIRST), THROUGH, change(THROUGH, FIRST)], MINIATURE),
    Study("ff-cnn-pooling",
          "Table 3: five networks without pooling, and with max pooling (and padding, which pooling of 7×7 "
          "filters needs)",
          SEARCH, [stack(*widths, kernel=kernel, pool=pool)
                   for *widths, kernel in ((128, 128, 128, 7), (16, 16, 16, 5), (64, 64, 64, 3),
                                           (32, 64, 128, 7), (16, 32, 64, 7))
                   for pool in (False, True)], MINIATURE),
    Study("ff-cnn-optimizers",
          "Section 3.2: Adam against SGD (momentum 0.9), each over a range of learning rates, 32 filters 7×7",
          change(SEARCH, filters(32, 7)),
          [dict(optimizer="adam", lr=lr) for lr in (5e-6, 5e-5, 5e-4, 5e-3)]
          + [dict(optimizer="sgd", lr=lr) for lr in (1e-7, 1e-6, 1e-5, 1e-4)],
          quick={key: value for key, value in MINIATURE.items() if key != "lr"}),
    Study("bp-cnn", "The paper's backprop CNN, 16 filters 5×5, at full length and at a tenth of it",
          BP_CNN, [{}, dict(epochs=20)], quick=dict(train_images=1_000)),
    Study("cnn-maps",
          "Section 3.3: FF-CNNs in both readings and backprop on the same blocks, 32 filters 7×7, for the "
          "test of their maps",
          {}, [change(FF_CNN, MAPS), change(FF_CNN, MAPS, THROUGH), change(BP_CNN, MAPS)], GLANCE),
]
