"""Run all benchmarks, one after the other: ``python -m benchmarks``."""

from benchmarks import dashboard, judge, latency, throughput

if __name__ == "__main__":
    judge.main()
    throughput.main()
    latency.main()
    dashboard.main()
