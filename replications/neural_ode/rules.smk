# Jobs of neural ODEs: Section 3 first, then flows (Section 4) and latent ODEs (Section 5).

NODE = "replications.neural_ode"
NODE_RESULTS = f"{RESULTS}/neural_ode"
RUNS["neural_ode"] = []
