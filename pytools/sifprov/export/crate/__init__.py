"""The record trail as a Workflow Run RO-Crate. See docs/export.md.

Sources: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), and the profiles Process Run Crate, Workflow
Run Crate and Provenance Run Crate, 0.5 (https://w3id.org/ro/wfrun/). The library `rocrate` is
imported here alone.
"""
