"""Geant4 in this process: geometry from a detector's description, deposits scored in C++.

Nothing else imports geant4_pybind, which takes its settings from the environment when it is first imported
and allows one geometry and one run a process.
"""
