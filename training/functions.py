"""The pool of functions for tool calls, from wordings/functions.txt, and the topics that some arguments are drawn from."""
import words

TOPIC = [["the {} report", "the {} project", "the {} meeting", "{} prices", "a visit to {}", "the {} contract", "lunch with {}", "{} and {}", "the new {} plan",
          "the {} invoice", "{} repairs", "the history of {}", "a party at {}", "the {} budget", "{} training", "my {} order", "{}", "{}", "the {} files", "{} tickets", "the rules of {}", "coffee with {}", "a call from {}", "the old {} system",
          "{} sales", "a gift for {}", "the move to {}", "the {} review", "our {} account", "how to find {}", "{} or {}", "the {} season", "summer in {}"],
         ["the {} workshop", "dinner with {}", "the {} delivery", "the future of {}", "{} maintenance", "the {} conference", "{}"]]
"""Patterns of topics; {} is a made-up word."""


def parse(lines):
    functions = []
    for line in lines:
        if line.count(" | ") == 2 and "{" not in line:
            name, about, params = line.split(" | ")
            params = [p.replace("=", ":").split(":") for p in params.split(", ")]
            functions.append({"name": name, "about": about, "params": params, "says": ([], [])})
            part = 0
        elif line == "---":
            part = 1
        else:
            functions[-1]["says"][part].append(line)
    return functions


FUNCTIONS = parse(words.lines("functions"))
