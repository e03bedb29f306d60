"""What all pages rest on: who asks, whether a form is ours, forms and their faults, confirmations, the layout."""
