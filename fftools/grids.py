"""The studies by name: which configurations each of them runs, at full scale and as a quick miniature."""

from fftools.configs import (
    ALL,
    ARTICLE,
    HELPED,
    THROUGH,
    TOLD_APART,
    Study,
    beyond,
    bp,
    bp_cnn,
    choice,
    cnn_trial,
    ff,
    ff_cnn,
    idea,
    in_colour,
    pooled,
    searched,
    shared_out,
    stack,
    strided,
    together,
    unsupervised,
)
from fftools.races import RACES

# What a miniature of the search changes: 240 steps of 50 images.
MINIATURE = dict(train_images=2_000, validation_images=1_000, epochs=6, lr=1e-3, readout_epochs=4, validate_every=None)
WIDTHS, KERNELS = (16, 32, 64, 128), (3, 5, 7)
SMALL, LARGE = (strided(*widths, kernel=5, channels=3) for widths in ((32, 64, 128), (64, 128, 256)))
DEEP = 40, 80, 160, 160  # four pooled blocks, whose channels ten classes can share

STUDIES: dict[str, Study] = {
    "article": Study("The article's network: [784, 512, 512], layer after layer on three batches of 20,000",
                     (ARTICLE,), quick=dict(steps=200, batch_images=2_000)),
    "ff-mlp-choices": Study(
        "What each choice is worth in a mini-batch FF network, 3×1000, 20,000 images, 10 epochs, on validation images",
        (choice(), choice(dict(negatives="hard")), choice(shift=1), choice(dict(negatives="hard"), shift=1),
         choice(dict(norm="rms")), choice(lr=3e-3), choice(dict(peer=0.03)), choice(dict(loss="symmetric")),
         choice(dict(goodness="mean"))),
        quick=dict(epochs=2, train_images=5_000)),
    "ff-mlp": Study("Mini-batch FF, 3×1000: the best of the choices, and the plain rule (random negatives, no shifts)",
                    (ff(dict(negatives="hard"), shift=1), ff()), quick=dict(epochs=3, train_images=10_000)),
    "ff-unsupervised": Study("Learning without labels from hybrid images, 3×1000, then a linear read-out",
                             (unsupervised(shift=1), unsupervised()), quick=dict(epochs=3, train_images=10_000)),
    "ff-cnn-choices": Study(
        "What each choice that the FF-CNN paper leaves open is worth: 32 filters 7×7, 10,000 images, 10 epochs, validation",
        (cnn_trial(), cnn_trial(network=THROUGH),
         cnn_trial(network=dict(first_loss=0)), cnn_trial(network=dict(first_loss=0, first_judge=0)),
         cnn_trial(network=THROUGH | dict(first_loss=0, first_judge=0)), cnn_trial(network=dict(norm="rms")),
         cnn_trial(lr=1e-3), cnn_trial(lr=5e-5), cnn_trial(network=dict(goodness="place")), cnn_trial(weights="fan-out"),
         cnn_trial(network=dict(loss="symmetric")), cnn_trial(network=dict(negatives="hard")), cnn_trial(labels=dict(set=2)),
         cnn_trial(network=THROUGH, lr=5e-5), cnn_trial(network=THROUGH, lr=1e-3),
         cnn_trial(network=THROUGH, weights="fan-out"), cnn_trial(network=dict(goodness="channel")),
         cnn_trial(blocks=dict(channels=1, widths=[32] * 3, kernel=7, padding="same"))),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-small-rates": Study(
        "The learning rate of 16 filters 5×5 in both readings: 10,000 images, 10 epochs, validation",
        tuple(cnn_trial(16, 5, network, lr=lr) for network in ({}, THROUGH) for lr in (5e-4, 1e-3, 2e-3, 4e-3)),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-small": Study(
        "The paper's smallest FF-CNN, 16 filters 5×5, at full length in both readings",
        (ff_cnn(16, 5, THROUGH, lr=4e-3), ff_cnn(16, 5, lr=4e-3)), quick=dict(epochs=3, train_images=5_000)),
    "ff-cnn-wide": Study(
        "A wider FF-CNN in both readings, 32 filters 7×7 on all images, for as long as two CPU cores allow",
        (ff_cnn(32, 7, lr=1e-3, epochs=40), ff_cnn(32, 7, THROUGH, lr=1e-3, epochs=40)),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn": Study(
        "The paper's best FF-CNN, 128 filters 7×7, at full length in both readings (for a GPU)",
        (ff_cnn(network=THROUGH), ff_cnn()), quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-filters": Study(
        "Figure 3A: 16 to 128 filters 7×7 in both readings",
        tuple(searched(width, network=dict(local=local)) for local in (True, False) for width in WIDTHS), quick=MINIATURE),
    "bp-cnn-filters": Study(
        "Figure 3A: 16 to 128 filters 7×7 by backpropagation",
        tuple(bp_cnn(width, 7, splits=["validation"]) for width in WIDTHS),
        quick={key: value for key, value in MINIATURE.items() if key != "readout_epochs"}),
    "ff-cnn-batches": Study(
        "Figure 4A: filters of 3×3, 5×5 and 7×7 at batches of 25, 50 and 100 images, 32 filters (how many is not said)",
        tuple(searched(32, kernel, batch_size=batch) for kernel in KERNELS for batch in (25, 50, 100)), quick=MINIATURE),
    "ff-cnn-kernels": Study(
        "Figure 4B: filters of 3×3, 5×5 and 7×7, 16 to 128 of them",
        tuple(searched(width, kernel) for kernel in KERNELS for width in WIDTHS), quick=MINIATURE),
    "ff-cnn-readouts": Study(
        "Table 1: goodness against the linear classifier for three networks",
        (searched(), searched(128, 5), searched(128, 3, batch_size=25)), quick=MINIATURE),
    "ff-cnn-strength": Study(
        "Figure 5: label strength K from 15 to 55 % for 32, 64 and 128 filters 7×7 at batches of 25 and 50",
        tuple(searched(width, labels=dict(strength=strength), batch_size=batch)
              for width in (32, 64, 128) for batch in (25, 50) for strength in (0.15, 0.25, 0.35, 0.45, 0.55)),
        quick=MINIATURE | dict(train_images=1_000)),
    "ff-cnn-label-sets": Study(
        "Table 2: label sets 1 and 2 for four networks",
        tuple(searched(width, kernel, labels=dict(set=number), batch_size=batch)
              for width, kernel, batch in ((32, 3, 50), (32, 7, 25), (64, 3, 50), (128, 3, 50)) for number in (1, 2)),
        quick=MINIATURE),
    "ff-cnn-first-layer": Study(
        "Figure 9: the first layer left out of loss and goodness, or in both, in both readings",
        tuple(searched(network=dict(local=local, first_loss=first, first_judge=first))
              for local in (True, False) for first in (1, 0)), quick=MINIATURE),
    "ff-cnn-pooling": Study(
        "Table 3: five networks without pooling, and with max pooling (and padding, which pooling of 7×7 filters needs)",
        tuple(searched(blocks=stack(*widths, kernel=kernel, pool=pool))
              for widths, kernel in (([128] * 3, 7), ([16] * 3, 5), ([64] * 3, 3), ([32, 64, 128], 7), ([16, 32, 64], 7))
              for pool in (False, True)), quick=MINIATURE),
    "ff-cnn-optimizers": Study(
        "Section 3.2: Adam against SGD (momentum 0.9), each over a range of learning rates, 32 filters 7×7",
        tuple(searched(32, optimizer=name, lr=lr) for name, rates in
              (("adam", (5e-6, 5e-5, 5e-4, 5e-3)), ("sgd", (1e-7, 1e-6, 1e-5, 1e-4))) for lr in rates),
        quick={key: value for key, value in MINIATURE.items() if key != "lr"}),
    "bp-cnn": Study("The paper's backprop CNN, 16 filters 5×5, at full length and at a tenth of it",
                    (bp_cnn(), bp_cnn(epochs=20)), quick=dict(train_images=1_000)),
    "cnn-maps": Study(
        "Section 3.3: FF-CNNs in both readings and backprop on the same blocks, 32 filters 7×7, for the test of their maps",
        tuple(build(32, 7, **options, lr=1e-3, epochs=10, train_images=20_000, validate_every=10)
              for build, options in ((ff_cnn, {}), (ff_cnn, dict(network=THROUGH)), (bp_cnn, {}))),
        quick=dict(epochs=2, train_images=2_000)),
    "ff-cnn-ideas": Study(
        "Ideas beyond the FF-CNN paper, strictly local: 32 filters 7×7, 10 epochs of 5,000 images, validation",
        (idea(), idea(dict(loss="symmetric")), idea(dict(temperature=100.0)), idea(TOLD_APART),
         idea(HELPED), idea(dict(negatives_each=3)), idea(dict(negatives="hard")),
         idea(TOLD_APART | dict(negatives="hard")), idea(shift=1), idea(TOLD_APART | dict(first_loss=0)),
         idea(dict(goodness="place")), idea(dict(norm="place")), idea(label="morphology"),
         idea(label="morphology", labels=dict(strength=0.6)), idea(TOLD_APART, label="morphology", labels=dict(strength=0.6)),
         idea(labels=dict(set=2)), idea(labels=dict(strength=0.2), strengths=[0.5, 0.2]),
         idea(labels=dict(strength=0.5), strengths=[0.2, 0.5]), idea(blocks=dict(channels=1, widths=[32] * 4, kernel=5)),
         idea(blocks=dict(channels=1, widths=[64] * 3, kernel=7)),
         idea(blocks=dict(channels=1, widths=[32] * 3, kernel=7, padding="same", pool=["max", None, None])),
         idea(blocks=strided(64, 64, 64))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-together": Study(
        "The ideas that helped, together, and what may still be changed: 3 epochs of 20,000 shifted images, validation",
        (together(), together(dict(first_loss=0, first_judge=0)),
         together(dict(temperature=30.0)), together(dict(temperature=300.0)), together(dict(negatives_each=9)),
         together(labels=dict(strength=0.2)), together(labels=dict(strength=0.5)), together(lr=3e-3),
         together(blocks=strided(64, 64, 64, kernel=5)), together(blocks=strided(64, 64, 64, 64)),
         together(blocks=strided(32, 64, 128)), together(ALL), together(ALL, blocks=strided(32, 64, 128, kernel=5)),
         together(blocks=pooled(*DEEP))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-colour": Study(
        "What may be changed for CIFAR-10: 3 epochs of 20,000 shifted and mirrored images, validation",
        (in_colour(), in_colour(blocks=strided(32, 64, 128, channels=3)), in_colour(blocks=SMALL),
         in_colour(dict(temperature=300.0), dict(strength=0.2), blocks=SMALL), in_colour(dict(negatives_each=9), blocks=SMALL),
         in_colour(blocks=LARGE), in_colour(dict(temperature=300.0), blocks=SMALL),
         in_colour(labels=dict(strength=0.2), blocks=SMALL),
         *(in_colour(lr=lr, blocks=SMALL) for lr in (3e-3, 3e-4)),
         *(in_colour(ALL | more, blocks=SMALL) for more in
           ({}, dict(first_loss=0), dict(goodness="place", temperature=10.0), dict(temperature=30.0)))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-channels": Study(
        "Channel-wise goodness: what may be changed, 3 epochs of 20,000 shifted images of MNIST and of CIFAR-10, validation",
        (shared_out(), shared_out(network=dict(temperature=1.0)), shared_out(network=dict(temperature=0.01)),
         shared_out(lr=3e-3), shared_out(blocks=strided(80, 160, 320, kernel=5)),
         *(shared_out(blocks=pooled(*DEEP), lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
         shared_out(blocks=pooled(20, 40, 80, 80, 80, pool=[None, "max", "max", None, "max"]), lr=3e-3),
         shared_out("cifar10", blocks=strided(80, 160, 320, kernel=5, channels=3)),
         shared_out("cifar10", blocks=pooled(80, 160, 320, 640, kernel=3, channels=3, pool="average")),
         *(shared_out("cifar10", blocks=pooled(*DEEP, channels=3), lr=lr) for lr in (3e-4, 1e-3, 3e-3, 1e-2)),
         *(shared_out("cifar10", dict(temperature=t), blocks=pooled(*DEEP, channels=3)) for t in (1.0, 0.01))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-digits": Study(
        "What may be changed for a long run on MNIST: 5 epochs of its training images, shifted, validation",
        tuple(beyond("mnist", epochs=5, network=network, readout_epochs=0, splits=["validation"], **more)
              for network, more in (({}, {}), ({}, dict(lr=3e-4)), (ALL, {}), (ALL, dict(lr=3e-4)))),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-clothes": Study(
        "What may be changed for Fashion-MNIST: 3 epochs of 20,000 shifted and mirrored images, validation",
        tuple(together(network, dataset="fashion_mnist", flip=True, **shape) for network, shape in
              (({}, {}), (ALL, {}), (ALL, dict(blocks=strided(32, 64, 128, kernel=5))),
               (ALL, dict(blocks=strided(32, 64, 128))), (ALL, dict(blocks=strided(64, 128, 256, kernel=5))))),
        quick=dict(epochs=2, train_images=2_000, validation_images=1_000)),
    "ff-cnn-beyond": Study(
        "The ideas that helped, on all images of four datasets, and backprop on the same blocks for as many epochs",
        tuple(beyond(dataset, rule, epochs=epochs) for dataset, epochs in
              (("mnist", 30), ("fashion_mnist", 30), ("cifar10", 15), ("cifar100", 15)) for rule in ("ff", "bp")),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-colour": Study(
        "What the trials on CIFAR-10 found best, on all its images, and backprop on the same blocks for as many epochs",
        tuple(beyond("cifar10", rule, epochs=epochs, network=dict(negatives_each=9), blocks=SMALL)
              for epochs in (25, 40) for rule in ("ff", "bp")),
        quick=dict(train_images=1_000)),
    "ff-cnn-beyond-slow": Study(
        "The same on digits and clothes, at a third of the rate and for 40 epochs; backprop keeps its rate",
        tuple(beyond(dataset, rule, epochs=40, **dict(lr=3e-4) if rule == "ff" else {})
              for dataset in ("mnist", "fashion_mnist") for rule in ("ff", "bp")),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-channels": Study(
        "Channel-wise goodness and backprop in the same four pooled blocks, at two rates each, on all images of four datasets",
        tuple(beyond(dataset, rule, epochs=40, lr=lr,
                     blocks=pooled(*widths, channels=3 if dataset.startswith("cifar") else 1))
              for dataset, widths in (("mnist", DEEP), ("fashion_mnist", DEEP), ("cifar10", DEEP),
                                      ("cifar100", (100, 200, 400, 400)))
              for rule in ("cw", "bp") for lr in (1e-3, 3e-4)),
        quick=dict(epochs=1, train_images=1_000)),
    "ff-cnn-beyond-wide": Study(
        "The same with 128 and 256 filters and for 100 epochs (for a GPU)",
        tuple(beyond(dataset, rule, width, epochs=100) for dataset in ("mnist", "fashion_mnist", "cifar10", "cifar100")
              for width in (128, 256) for rule in ("ff", "bp")), quick=dict(epochs=1, train_images=1_000)),
    "bp-mlp": Study("The control: backpropagation through the same blocks, with and without shifts",
                    (bp(shift=1), bp()), quick=dict(epochs=3, train_images=10_000)),
} | RACES
