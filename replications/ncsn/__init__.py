"""NCSN: score matching at a ladder of noise levels, sampled by annealed Langevin dynamics (Song & Ermon 2019)."""
