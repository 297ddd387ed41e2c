"""Words that items are made of. `tools/demo` trains the demo model on the same, less the combinations held out."""
