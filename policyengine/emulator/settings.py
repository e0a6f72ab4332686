"""What may be chosen about the emulator: the points on which the public contract is silent, contradicts itself, or
leaves a range. The defaults are the contract's. Source: configuration API, the marks [?]; GitOps behaviour, (C).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Settings:
    """``auto_install_flux``: a first Flux configuration brings the extension with it (G1); otherwise it fails.

    ``allow_flux_v1``: new Flux v1 configurations are taken, as before 2024 (G11).
    ``refuse_concurrent_writes``: 409 for a write while the last one has not ended; otherwise the last writer wins.
    ``refuse_unknown_types``: 400 for an extension type that the catalogue does not know; otherwise it installs.
    ``refuse_create_only``: 400 for a write that changes what is set at creation; otherwise that is not heard.
    ``check_dependencies``: 400 for a `dependsOn` that names nothing, or leads back; otherwise such never get ready.
    ``put_replaces``: what a PUT leaves out goes back to its default; otherwise it stays.
    ``merge_settings``: a PATCH merges the settings of an extension key by key; otherwise it replaces them.
    ``second_instance_status``: the status for a second extension of one type on a cluster (G4), 409 or 400.
    ``refuse_aks_identity``: 400 for an extension with an identity on AKS.
    ``gone_at_once``: a deleted resource answers 404 from the start, not `Deleting` until the agent has acted.
    ``check_local_secrets``: a `localAuthRef` to a secret that is not on the cluster fails the source (G19).
    ``keep_secrets``: which writes may leave out secrets that were delivered before: `always`, `patch` (a PUT without
    them loses them) or `never` (G42, G43).
    ``flux_v1_blocks_install``: microsoft.flux cannot be installed beside Flux v1 configurations (G11).
    ``aks_extension_manager``: the feature that lets AKS clusters have extensions is registered (G13).
    ``private_link_refuses``: an extension type without private link support fails behind one, not only warns (G45).
    ``empty_pages``: between every two pages of a list there is one that holds nothing but a link.
    ``identity_lifetime``: how long an Arc agent may be silent before its certificate has run out (G39).
    ``operation_lifetime``: for how long an ended operation can be read; None: for ever.
    ``write_timeout``, ``delete_timeout``: how long a change waits for an agent that does not come (G40, G41).
    ``registration_duration``: how long a resource provider is `Registering`.
    ``graph_lag``: for how long after a write Resource Graph shows what was there before it.
    ``throttling``: answer 429 when a token bucket is empty; what is left is told either way.
    ``resource_requests``: how many a minute the configuration service takes of one subscription; 0: any number.
    ``compress_from``: answers of that many bytes are gzip, for clients that take it.
    """

    auto_install_flux: bool = True
    allow_flux_v1: bool = False
    refuse_concurrent_writes: bool = False
    refuse_unknown_types: bool = False
    refuse_create_only: bool = True
    check_dependencies: bool = True
    put_replaces: bool = True
    merge_settings: bool = True
    second_instance_status: int = 409
    refuse_aks_identity: bool = False
    gone_at_once: bool = False
    check_local_secrets: bool = True
    keep_secrets: str = "always"
    flux_v1_blocks_install: bool = True
    aks_extension_manager: bool = True
    private_link_refuses: bool = False
    page_size: int = 100
    empty_pages: bool = False
    poll_interval: timedelta = timedelta(seconds=30)
    install_duration: timedelta = timedelta(seconds=60)
    reconcile_duration: timedelta = timedelta(seconds=30)
    retry_after: timedelta = timedelta(seconds=15)
    operation_lifetime: timedelta | None = None
    write_timeout: timedelta = timedelta(hours=48)
    delete_timeout: timedelta = timedelta(hours=1)
    heartbeat_timeout: timedelta = timedelta(minutes=15)
    registration_duration: timedelta = timedelta(0)
    graph_lag: timedelta = timedelta(0)
    identity_lifetime: timedelta = timedelta(days=90)
    throttling: bool = True
    resource_requests: int = 0
    compress_from: int = 16_384
    journal_size: int = 100_000

    @classmethod
    def strict(cls) -> Settings:
        """Refuses whatever some source says is refused."""
        return cls(
            auto_install_flux=False,
            refuse_concurrent_writes=True,
            refuse_unknown_types=True,
            refuse_aks_identity=True,
            keep_secrets="never",
            private_link_refuses=True,
            operation_lifetime=timedelta(hours=48),
        )

    @classmethod
    def loose(cls) -> Settings:
        """Takes whatever some source says is taken."""
        return cls(
            allow_flux_v1=True,
            refuse_create_only=False,
            check_dependencies=False,
            check_local_secrets=False,
            flux_v1_blocks_install=False,
        )

    def keeps_secrets(self, method: str) -> bool:
        """True when a write of that method may leave out the secrets of an earlier one."""
        return self.keep_secrets == "always" or (self.keep_secrets == "patch" and method == "PATCH")
