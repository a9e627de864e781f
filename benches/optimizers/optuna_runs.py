"""Optuna's multivariate TPE, with constraints where there are some: one line a run, with all
feasible values. The problems are pymoo's."""

import json
import sys
import time
import warnings

import numpy
import optuna
from pymoo.problems import get_problem

VARIABLES = {"zdt1": {"n_var": 10}, "dtlz2": {"n_var": 7, "n_obj": 3}}


def run(problem, seed, evals):
    constrained = problem.n_ieq_constr > 0
    constraints = (lambda trial: trial.user_attrs["constraints"]) if constrained else None
    sampler = optuna.samplers.TPESampler(multivariate=True, seed=seed, constraints_func=constraints)
    study = optuna.create_study(directions=["minimize"] * problem.n_obj, sampler=sampler)
    front = []
    for _ in range(evals):
        trial = study.ask()
        bounds = enumerate(zip(problem.xl, problem.xu))
        x = [trial.suggest_float(f"x{i}", low, high) for i, (low, high) in bounds]
        told = problem.evaluate(numpy.array(x), return_as_dictionary=True)
        if constrained:
            trial.set_user_attr("constraints", told["G"].tolist())
        study.tell(trial, told["F"].tolist())
        if not constrained or (told["G"] <= 0).all():
            front.append(told["F"].tolist())
    return front


def main():
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _, of, seeds, evaluations = sys.argv[1:]
    problem = get_problem(of, **VARIABLES.get(of, {}))
    for seed in range(1, int(seeds) + 1):
        for evals in map(int, evaluations.split(",")):
            start = time.process_time()
            front = run(problem, seed, evals)
            cpu_s = time.process_time() - start
            print(json.dumps({"seed": seed, "evals": evals, "front": front, "cpu_s": cpu_s}), flush=True)


main()
