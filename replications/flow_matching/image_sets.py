"""The image data sets that the workflow trains and judges models on, by level; the first one is what claims are judged on."""

SETS = {
    "smoke": ("digits",),
    "laptop": ("digits",),
    "gpu": ("cifar10", "fashion_mnist"),
    "paper": ("cifar10",),
}
UPSAMPLING_SETS = SETS | {"paper": ("imagenet256",)}
