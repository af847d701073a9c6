"""Pure algebra on numbers, addresses, ports and connections; knows no Kubernetes."""
