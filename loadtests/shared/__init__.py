"""What all workloads share: users, their connections, the window and its recorder."""
