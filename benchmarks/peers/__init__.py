"""Other engines on the same rules and documents. They run in an environment of their own, without policyengine."""
