"""One module for each command of `numberyard`, loaded only when it runs (`webhook.cli.command_table`)."""
