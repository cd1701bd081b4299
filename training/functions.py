"""The pool of functions for tool calls, from wordings/functions.txt, and the words that some kinds of arguments are drawn from."""
import words

# kind -> (training, held out) lists of real words; other kinds are methods of words.Source
ITEMS = {
    "room": ("kitchen|hall|bedroom|bathroom|office|living room|cellar|attic|nursery|dining room".split("|"), "garage|study|guest room|pantry|library".split("|")),
    "door": ("front door|back door|garage door|cellar door|gate|balcony door|main entrance".split("|"), "side door|kitchen door|terrace door|shed door".split("|")),
    "item": ("milk|bread|butter|eggs|apples|rice|coffee|tea|sugar|salt|cheese|tomatoes|onions|potatoes|pasta|flour|honey|bananas|carrots|soap|batteries|candles"
             .split("|"), "olives|pears|lemons|yoghurt|spinach|mushrooms|garlic|oranges|walnuts".split("|")),
    "dish": ("pizza|burger|sushi|soup|salad|curry|pasta|kebab|lasagne|fish and chips|noodles|tacos|pancakes|fried rice|omelette".split("|"),
             "risotto|burrito|ramen|goulash|falafel|paella".split("|")),
    "sport": ("running|swimming|cycling|yoga|rowing|tennis|football|boxing|hiking|dancing|climbing".split("|"), "skating|badminton|pilates|fencing|surfing".split("|")),
    "currency": ("EUR|USD|GBP|CHF|JPY|SEK|NOK|PLN|CAD|AUD|INR".split("|"), "DKK|CZK|NZD|BRL|MXN|ZAR".split("|")),
    "language": ("French|German|Spanish|Italian|Polish|Dutch|Greek|Turkish|Swedish|Japanese|Russian|Hindi".split("|"),
                 "Norwegian|Finnish|Korean|Portuguese|Hungarian|Czech".split("|")),
    "table": ("orders|users|invoices|payments|tickets|sessions|products|logins".split("|"), "shipments|customers|refunds|events|bookings".split("|")),
}
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
