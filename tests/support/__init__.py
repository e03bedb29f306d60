"""What tests share: clients, tables of rules, builders of rows and files, servers."""
