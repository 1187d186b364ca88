"""The speedrun: local learning, layer by layer, in airbench's network; backprop on the same one."""

from evidence.studies.catalogue import Study, change

LAYERS = 6
SPEEDRUN = dict(rule="layerwise", dataset="cifar10",
                blocks=dict(widths=[128, 128, 256, 256, 512, 512], kernel=3),
                network=dict(head="mono-forward", layers_per_block=1), epochs=8, batch_size=500, lr=3e-3,
                weight_decay=0.01, flip=True, splits=["test"])  # fmt: skip
# Strictly local but for the last two rows, whose gradient crosses one layer's border, or all
RULES = {
    "Mono-Forward": {},
    "channel-wise goodness": dict(network=dict(head="channel-wise")),
    "local similarity": dict(network=dict(head="similarity")),
    "Mono-Forward, two layers a block": dict(network=dict(layers_per_block=2)),
    "backprop": dict(network=dict(layers_per_block=LAYERS)),
}
NARROW = dict(blocks=dict(widths=[32, 32, 64, 64, 128, 128]))
TRIAL = change(SPEEDRUN, NARROW, dict(train_images=20_000, epochs=4, splits=["validation"]))
OTHERS = {
    "CIFAR-100": dict(dataset="cifar100", network=dict(classes=100)),
    "Fashion-MNIST": dict(dataset="fashion_mnist", network=dict(channels=1)),
    "MNIST": dict(dataset="mnist", network=dict(channels=1), flip=False),
}
# A label in the image, in the same layers. Each batch passes twice, with right and with wrong labels, so
# half the epochs cost as much.
LABELLED = change(SPEEDRUN, NARROW, dict(
    rule="ff", recipe="speedrun", label="fourier", labels=dict(set=1, strength=0.35),
    blocks=dict(channels=3), epochs=4, validate_every=4,
    network=dict(head=None, layers_per_block=None, goodness="mean", norm="layer", loss="symmetric",
                 temperature=0.1)))
SHAPES = dict(label="morphology", labels=dict(set=None))
# Few images to answer, too: each is asked about every one of up to a hundred labels.
FEW = dict(epochs=1, train_images=2_000, validation_images=500, test_images=500)
HUNDRED = dict(dataset="cifar100", labels=dict(classes=100))
MINIATURE = dict(epochs=2, train_images=4_000, blocks=dict(widths=[16, 16, 32, 32, 64, 64], kernel=3))


def crossed(rows: dict[str, dict], columns: dict[str, dict]) -> dict[str, dict]:
    """Every row with every column."""
    return {f"{row}, {column}": change(a, b) for row, a in rows.items() for column, b in columns.items()}


STUDIES = [
    Study("speedrun", "The race on CIFAR-10: five rules on one network, 8 epochs",
          SPEEDRUN, RULES, MINIATURE),
    Study("speedrun-long", "The race on CIFAR-10 as airbench runs it, on all 50,000 images, for 16 epochs",
          change(SPEEDRUN, dict(epochs=16, all_images=True, validate_every=None)), RULES,
          MINIATURE | dict(epochs=3, all_images=False)),
    Study("speedrun-narrow", "The same race on a quarter of the channels, 8 epochs",
          change(SPEEDRUN, NARROW), RULES, MINIATURE | dict(train_images=5_000)),
    Study("speedrun-elsewhere",
          "Mono-Forward and backprop in the speedrun's network: three more datasets, 16 epochs",
          change(SPEEDRUN, dict(epochs=16)),
          crossed({name: RULES[name] for name in ("Mono-Forward", "backprop")}, OTHERS), MINIATURE),
    Study("speedrun-choices",
          "What makes local layers good: a quarter of the channels, 20,000 images, 4 epochs, validation",
          TRIAL, {
              "as it is": {},
              "M reads 1×1 places": dict(network=dict(places=1)),
              "M reads 3×3 places": dict(network=dict(places=3)),
              "no label smoothing": dict(network=dict(smoothing=0.0)),
              "rate 1e-3": dict(lr=1e-3),
              "rate 1e-2": dict(lr=1e-2),
              "weight decay 0": dict(weight_decay=0.0),
              "weight decay 0.1": dict(weight_decay=0.1),
              "batches of 250": dict(batch_size=250),
              "early layers twice as wide": dict(blocks=dict(widths=[64, 64, 64, 64, 128, 128])),
              "similarity, a tenth": dict(network=dict(head="similarity", share=0.1)),
              "similarity, half": dict(network=dict(head="similarity", share=0.5)),
              "similarity, 0.99": dict(network=dict(head="similarity", share=0.99)),
              "goodness, temperature 0.1": dict(network=dict(head="channel-wise")),
              "goodness, temperature 0.03": dict(network=dict(head="channel-wise", temperature=0.03)),
              "goodness, temperature 0.3": dict(network=dict(head="channel-wise", temperature=0.3)),
              "goodness, temperature 1": dict(network=dict(head="channel-wise", temperature=1.0)),
              "two layers a block": dict(network=dict(layers_per_block=2)),
              "backprop": dict(network=dict(layers_per_block=LAYERS)),
              "backprop, rate 1e-3": dict(network=dict(layers_per_block=LAYERS), lr=1e-3),
              "backprop, rate 1e-2": dict(network=dict(layers_per_block=LAYERS), lr=1e-2),
          }, dict(epochs=2, train_images=4_000)),
    Study("speedrun-labels-choices",
          "A label in the image, in the narrow network: 20,000 images, 2 epochs, validation",
          change(LABELLED, dict(train_images=20_000, epochs=2, validate_every=2, validation_images=2_000,
                                splits=["validation"])), {
              "as it is": {},
              "T = 0.01": dict(network=dict(temperature=0.01)),
              "T = 1": dict(network=dict(temperature=1.0)),
              "K = 0.2": dict(labels=dict(strength=0.2)),
              "K = 0.5": dict(labels=dict(strength=0.5)),
              "the sum of squares, T = 100": dict(network=dict(goodness="sum", temperature=100.0)),
              "three negatives each": dict(network=dict(negatives_each=3)),
              "rate 1e-3": dict(lr=1e-3),
              "rate 1e-2": dict(lr=1e-2),
              "morphology": SHAPES,
              "morphology, K = 0.6": change(SHAPES, dict(labels=dict(strength=0.6))),
          }, FEW),
    Study("speedrun-labels",
          "A label in the image, in the narrow network: waves and forms, 4 epochs",
          LABELLED, {
              "waves, CIFAR-10": {},
              "forms, CIFAR-10": SHAPES,
              "waves, CIFAR-100": change(HUNDRED, dict(labels=dict(set=2, colours=True))),
              "forms, CIFAR-100": change(SHAPES, HUNDRED),
          }, FEW),
]  # fmt: skip
