"""What has moved since a card was made, and why."""
