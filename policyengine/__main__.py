"""`python -m policyengine` is the command `policyengine`.

Its processes import this module, too, before they are told what to do: so it imports nothing by itself.
"""


def main() -> None:
    import os

    # else numpy makes a thread for each core, for linear algebra that nobody does here, in every process of a scan
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from policyengine.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
