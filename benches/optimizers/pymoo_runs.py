"""pymoo's NSGA-II and NSGA-III with their defaults: one line a run, with the front of the last
population."""

import json
import sys
import time

from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.optimize import minimize
from pymoo.problems import get_problem
from pymoo.util.ref_dirs import get_reference_directions

GENERATIONS = 200


def algorithm(name):
    if name == "nsga3":
        directions = get_reference_directions("das-dennis", 3, n_partitions=12)
        return NSGA3(pop_size=92, ref_dirs=directions)
    return NSGA2(pop_size=100)


def problem(name):
    return get_problem("dtlz2", n_var=12, n_obj=3) if name == "dtlz2" else get_problem(name)


def main():
    name, of, seeds, evals = sys.argv[1:]
    for seed in range(1, int(seeds) + 1):
        start = time.process_time()
        result = minimize(problem(of), algorithm(name), ("n_gen", GENERATIONS), seed=seed)
        cpu_s = time.process_time() - start
        front = [one.F.tolist() for one in result.pop if one.FEAS.all()]
        print(json.dumps({"seed": seed, "evals": int(evals), "front": front, "cpu_s": cpu_s}), flush=True)


main()
