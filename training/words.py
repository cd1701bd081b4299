"""Values and wordings for the generated tasks, split into two worlds that share nothing: training and held out.

A `Source` draws from one world. Names, cities, codes, dates, amounts and the like are split by a hash of their text,
lists of real words by hand; wordings are listed separately. Small counts and on/off switches exist in both worlds.
"""
import functools
import itertools
import os
import random
import re
import zlib

ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr r s sh sk st t th tr v w y z".split()
VOWELS = "a e i o u ai ea ia io ou ee".split()
CODAS = ["", "", "", "l", "m", "n", "r", "s", "t", "x", "ck", "nd", "ng", "rn", "rt", "ss", "th"]

FIRST = [
    "Anna Ben Clara David Emma Felix Grace Henry Ines Jonas Karin Leo Maria Nils Olga Paul Rosa Sven Tina Uwe Vera Walter "
    "Yara Zoe Adam Bella Carlos Diana Elias Fatima George Hanna Ivan Julia Kofi Laura Mehmet Nadia Omar Petra Quinn Rita "
    "Sam Tom Ugo Viktor Wendy Xavier Yusuf Zara Alice Bruno Chloe Dario Eva Frank Gina Hugo Irma Jack Kate Liam Mila Noah".split(),
    "Agnes Boris Cecile Dominik Esther Fabian Gustav Hilda Imran Jasmin Kaspar Lydia Marek Noemi Oskar Priya Ralf Selma "
    "Tobias Ursula Valentin Wilma Ximena Yannick Zelda Arturo Beatrix Conrad Delia Edgar".split()]
LAST = [
    "Smith Miller Garcia Rossi Novak Jensen Kowalski Schmidt Dubois Silva Tanaka Kim Nguyen Khan Olsen Berg Costa Moreau "
    "Fischer Weber Brown Jones Taylor Wilson Clark Lewis Walker Young King Wright Lopez Hill Green Adams Baker Nelson".split(),
    "Petersen Horvat Ferrari Lindqvist Okafor Sanders Vogel Marchetti Duarte Yamada Kaur Novotny Barker Fontaine Osborne "
    "Keller Ritter Salazar Thorne Winters".split()]
CITY = [
    "Oslo Paris Berlin Madrid Rome Vienna Prague Dublin Lisbon Athens Boston Denver Seattle Austin Toronto Lima Quito Cairo "
    "Tunis Dakar Nairobi Delhi Mumbai Tokyo Osaka Seoul Hanoi Sydney Perth Geneva Zurich Munich Hamburg Milan Naples Turin "
    "Lyon Nice Porto Seville Bristol Leeds York Cardiff Malmo Bergen Aarhus Tampere Riga Vilnius".split(),
    "Helsinki Warsaw Budapest Zagreb Antwerp Cologne Valencia Florence Glasgow Chicago Houston Montreal Bogota Santiago "
    "Lagos Accra Jakarta Manila Kyoto Brisbane Basel Graz Utrecht Gdansk Tallinn Bremen Toulouse Verona Exeter Odense".split()]
MONTH = "January February March April May June July August September October November December".split()
DAY = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

OPENERS = [[""] * 8 + ["Hi, ", "Hello, ", "Hey, ", "Good morning, ", "Please help: ", "Hi there, ", "Quick question: ", "Dear team, ", "Good afternoon, ",
                       "Hi all, ", "Sorry to bother you, ", "Greetings, ", "Hello again, ", "Hey there, ", "Good day, ", "One question: ", "Excuse the question, ",
                       "Dear support, ", "Hello everyone, ", "Hi team, ", "Sorry, ", "Please, ", "Okay, ", "So, ", "Well, ", "Listen, ", "Oh, ", "Hey team, ",
                       "To whom it may concern, ", "Evening, ", "Dear all, ", "Hiya, ", "Pardon me, ", "Right, ", "Me again: ", "Short question: ", "Urgent: "],
           ["", "", "", "Hello there, ", "Good evening, ", "Excuse me, ", "Morning, "]]
CLOSERS = [[""] * 8 + [" Thanks!", " Thank you.", " Please help.", " Cheers.", " Can you help?", " It is urgent.", " Thanks a lot.", " Much appreciated.",
                       " Kind regards.", " What do you advise?", " Thank you in advance.", " Thanks so much.", " Many greetings.",
                       " Please answer soon.", " Best wishes.", " I am waiting for your answer.", " Thx.", " Please let me know.", " That would be great.",
                       " What now?", " Hope you can help.", " Regards.", " I appreciate it.", " Bye.", " Please tell me what to do.", " Looking forward to it.",
                       " Would be nice.", " Any advice?", " Best."],
           ["", "", "", " Many thanks.", " Thanks in advance.", " Please advise."]]


def held_out(text):
    """True for the eighth of all texts that training never sees as a value."""
    return zlib.crc32(text.lower().encode()) % 8 == 0


def lines(name):
    """The lines of wordings/NAME.txt."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "wordings", name + ".txt"), encoding="ascii") as f:
        return [line.rstrip("\n") for line in f if line.strip()]


def systems(name, end):
    """The system prompts of a task from wordings/systems.txt, each with `end` behind it, as (training, held out)."""
    both, task, part = ([], []), None, 0
    for line in lines("systems"):
        if line.startswith("# "):
            task, part = line[2:], 0
        elif line == "---":
            part = 1
        elif task == name:
            both[part].append(line.replace("\\n", "\n") + end)
    return both


@functools.cache
def expansions(pattern):
    """All sentences of a pattern, in small letters, without what follows =>."""
    parts = re.split(r"\[([^\]]*)\]", pattern.split(" => ")[0].lower())
    choices = [p.split("|") if i % 2 else [p] for i, p in enumerate(parts)]
    return {" ".join("".join(c).split()) for c in itertools.product(*choices)}


def expand(rng, pattern):
    """Replaces every [a|b|c] by one of its alternatives (not nested)."""
    return re.sub(r"\[([^\]]*)\]", lambda m: rng.choice(m[1].split("|")), pattern)


class Source:
    """Draws values and wordings of one world; `held` selects the held-out one."""

    def __init__(self, seed, held=False):
        self.rng, self.held = random.Random(seed), held

    def one(self, options):
        return self.rng.choice(options)

    def chance(self, p):
        return self.rng.random() < p

    def world(self, pair):
        """One of the entries of this world of a (training, held out) pair of lists."""
        return self.rng.choice(pair[self.held])

    def wording(self, pair):
        """A sentence of this world; a training pattern that happens to give a held-out sentence is drawn again."""
        while True:
            text = expand(self.rng, self.world(pair))
            plain = " ".join(text.split(" => ")[0].lower().split())
            if self.held or not any(plain in expansions(p) for p in pair[1]):
                return text

    def drawn(self, make):
        while True:
            value = make()
            if held_out(str(value)) == self.held:
                return value

    def made_up(self, low=2, high=None):
        r = self.rng
        high = high or (3 if self.chance(0.2) else 2)
        body = lambda n: "".join(r.choice(ONSETS) + r.choice(VOWELS) + (r.choice(CODAS) if i < n - 1 and r.random() < 0.25 else "") for i in range(n))
        return self.drawn(lambda: (body(r.randint(low, high)) + r.choice(CODAS)).capitalize())

    def first(self):
        return self.world(FIRST) if self.chance(0.3) else self.made_up(1, 2) if self.chance(0.3) else self.made_up()

    def last(self):
        return self.world(LAST) if self.chance(0.3) else self.made_up()

    def person(self):
        return f"{self.first()} {self.last()}"

    def name(self):
        return self.person() if self.chance(0.4) else self.first()

    def city(self):
        return self.world(CITY) if self.chance(0.3) else f"{self.one(['New', 'Port', 'San', 'North'])} {self.made_up()}" \
            if self.chance(0.12) else self.made_up()

    def company(self):
        return self.made_up() + self.one(["", "", " Ltd", " Group", " Systems", " Foods", " Works"])

    def street(self):
        return f"{self.made_up()} {self.one(['Street', 'Road', 'Lane', 'Avenue'])} {self.rng.randint(1, 99)}"

    def email(self):
        return f"{self.first().lower()}@{self.made_up(1, 2).lower()}.{self.one(['com', 'org', 'net', 'io'])}"

    def date(self):
        r = self.rng
        return self.drawn(lambda: f"{r.randint(2024, 2029)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}" if r.random() < 0.5
                          else f"{r.randint(1, 28)} {r.choice(MONTH)}")

    def day(self):
        return self.one(DAY) if self.chance(0.4) else self.date()

    def time(self):
        return self.drawn(lambda: f"{self.rng.randint(6, 22):02}:{self.rng.randrange(0, 60, 5):02}")

    def code(self):
        r = self.rng
        letters = lambda n: "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(n))
        return self.drawn(lambda: r.choice([lambda: f"{letters(2)}-{r.randint(100, 9999)}", lambda: f"{letters(1)}{r.randint(100, 99999)}",
                                            lambda: f"{letters(3)}{r.randint(10, 999)}"])())

    def phone(self):
        return self.drawn(lambda: " ".join(str(self.rng.randint(100, 999)) for _ in range(3)))

    def count(self, low=1, high=12):
        return self.rng.randint(low, high)

    def large(self, low=13, high=9999):
        return self.drawn(lambda: self.rng.randint(low, high))

    def amount(self):
        r = self.rng
        return self.drawn(lambda: round(r.uniform(1, 2000), 2) if r.random() < 0.5 else round(r.uniform(1, 90), 1))

    def chatter(self, text):
        """The sentence with a greeting before and thanks after it, now and then."""
        opener = self.world(OPENERS)
        if opener and not re.match(r"I\b|[A-Z]{2}", text):
            text = text[0].lower() + text[1:] if opener.endswith((", ", ": ")) and text.split()[0] in COMMON else text
        closer = self.world(CLOSERS)
        if text[-1] not in ".?!":
            text += "?" if text.split()[0] in QUESTION and self.chance(0.7) else "." if closer or self.chance(0.4) else ""
        return opener + text + closer


COMMON = set("My The Can Could How What Where When Why Is Are Do Does Please There It Book Set Send Find Show Play Get Turn Add".split())
QUESTION = set("Can Could How What Where When Why Which Who Is Are Do Does Did Will Should Has May".split())
