"""The program: server, controller, audit and command line."""
