"""`python -m policyengine` is the command `policyengine`.

Its processes import this module, too, before they are told what to do: so it imports nothing by itself.
"""


def main() -> None:
    from policyengine.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
