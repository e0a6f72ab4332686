"""`python -m policyengine` is the command `policyengine`."""

from policyengine.cli.main import main

main()
