"""Time of a training step, Mono-Forward against backprop: `evidence.timing`, whose records chapter 10 shows.

python benchmarks/learning_costs.py          (some minutes on two cores; --quick for a glance without records)
"""

from evidence.timing import main

if __name__ == "__main__":
    main()
