"""The kernel's words on packets, told as flows of pods and policies."""
