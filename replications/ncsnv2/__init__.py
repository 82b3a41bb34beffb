"""NCSNv2 (Song & Ermon 2020): five techniques that let score models train and sample at any size."""
