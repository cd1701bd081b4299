"""The pool of functions for tool calls: name, description, parameters (name:type=kind), wordings, held-out wordings after ---.

A wording names the arguments that it gives as {name}; fixed ones follow after =>.
"""

TEXT = """
get_weather | Weather forecast for a city | city:string=city, days:integer=count
[What is|How is|Show me] the weather in {city}
[Will it rain|Is it sunny|Is it cold] in {city}
[Give me|Show me|I need] the forecast for {city} for [the next|] {days} days
Weather [in|for] {city}, {days} days
---
I am off to {city}, what weather awaits me there
{days} days of forecast for {city} please
send_email | Send an e-mail | to:string=email, subject:string=topic
[Send|Write] [an email|a mail|a message] to {to} about {subject}
[Mail|Email] {to} with the subject {subject}
I need to [write|send a mail] to {to}, subject {subject}
---
Please let {to} know by mail, subject line {subject}
Compose an email about {subject} addressed to {to}
set_alarm | Set an alarm | time:string=time, label:string=topic
[Set|Make] an alarm [for|at] {time}
Wake me [up|] at {time}
[Set|Create] an alarm for {time} [named|called|labelled] {label}
[Ring|Alarm] at {time} [please|tomorrow|]
---
I have to be up at {time}
Put an alarm at {time} with the label {label}
set_timer | Start a countdown timer | minutes:integer=minutes
[Set|Start] a timer for {minutes} minutes
[Timer|Countdown] of {minutes} minutes
[Count down|Remind me in] {minutes} minutes
---
Let me know when {minutes} minutes have passed
The cake needs {minutes} minutes in the oven, time it
create_event | Add an event to the calendar | title:string=topic, date:string=day, time:string=time
[Add|Put] {title} [to|in|into] [my|the] calendar on {date}
[Schedule|Plan|Create] {title} on {date} at {time}
[Book|Enter] {title} for {date} [in my calendar|]
I have {title} on {date} at {time}, [save it|add it|put it in my calendar]
---
Mark {title} in my calendar, {date}, {time}
Please note {title} for {date} at {time}
book_table | Reserve a restaurant table | restaurant:string=place, guests:integer=people, time:string=time
[Book|Reserve] a table [at|in] {restaurant} for {guests} [people|guests|persons]
[Book|Reserve|Get] a table for {guests} at {restaurant} at {time}
We are {guests} people and want to eat at {restaurant} at {time}
---
Dinner for {guests} at {restaurant}, {time} please
Could you get {guests} seats at {restaurant}
book_flight | Book a flight | origin:string=city, destination:string=city, date:string=date
[Book|Find] a flight from {origin} to {destination}
[Book|Buy|Get] [me|] a [flight|ticket|plane ticket] from {origin} to {destination} on {date}
I [want|need|have] to fly from {origin} to {destination} on {date}
[Fly|Flight] {origin} to {destination}, {date}
---
Get me on a plane to {destination} from {origin}
On {date} I must travel by air from {origin} to {destination}
book_hotel | Book a hotel room | city:string=city, nights:integer=count, breakfast:boolean=switch
[Book|Find|Reserve] a [hotel|room|hotel room] in {city} for {nights} nights
I need a [hotel|room] in {city} [for|,] {nights} nights with breakfast => breakfast=True
[Book|Reserve] {nights} nights in {city} without breakfast => breakfast=False
---
We stay {nights} nights in {city}, please book a room
{nights} nights in a hotel in {city}, breakfast included => breakfast=True
get_train | Train connections between two stations | start:string=city, goal:string=city, time:string=time
[Show|Find] [trains|a train] from {start} to {goal}
[When does|When is] the next train from {start} to {goal} [leave|]
[Which train goes|Is there a train] from {start} to {goal} at {time}
How do I get from {start} to {goal} by train
---
I am in {start} and need a train to {goal} at {time}
Railway connection {start} to {goal}
convert_currency | Convert money between currencies | amount:number=amount, source:string=currency, target:string=currency
[Convert|Change] {amount} {source} [to|into] {target}
How [much|many {target}] is {amount} {source} in {target}
What is {amount} {source} worth in {target}
{amount} {source} in {target}
---
I have {amount} {source}, what do I get in {target}
Tell me the value of {amount} {source} in {target}
transfer_money | Transfer money to a person | recipient:string=person, amount:number=amount
[Transfer|Send|Pay|Wire] {amount} euros to {recipient}
[Pay|Send] {recipient} {amount} euros
I [owe|want to pay] {recipient} {amount} euros
---
{recipient} should receive {amount} euros from me
Move {amount} euros over to {recipient}
get_stock_price | Current price of a share | symbol:string=symbol
[What is|Show me|Get] the [stock|share] price of {symbol}
[How is|How much is] {symbol} [trading|stock|at the moment]
[Price|Quote] [of|for] {symbol}
---
Where does {symbol} stand on the stock market
Look up what a share of {symbol} costs
search_web | Search the web | query:string=topic
[Search|Look] [the web|the internet|online] for {query}
[Google|Search for|Look up] {query}
[Find|I need] [information|pages|articles] [about|on] {query}
---
What does the web say about {query}
Browse the internet for {query}
play_music | Play music by an artist | artist:string=name, volume:integer=percent
[Play|Put on] [music|songs|something] by {artist}
[I want to hear|Let me hear|Play] {artist}
Play {artist} at [volume|] {volume} percent
---
I feel like listening to {artist}
Some tunes from {artist}, volume {volume} percent
set_volume | Set the volume of the speaker | level:integer=percent
[Set|Change|Turn] the volume to {level}
[Make the volume|Volume] {level} [percent|]
[Turn the speaker|Turn the sound|Speaker] to {level} percent
---
I want the loudness at {level} percent
Bring the speaker volume to {level}
set_light | Switch a light | room:string=room, on:boolean=switch
[Turn|Switch] on the [light|lights|lamp] in the {room} => on=True
[Turn|Switch] off the [light|lights|lamp] in the {room} => on=False
[Lights|Light] on in the {room} => on=True
[Lights|Light] off in the {room} => on=False
Make it [dark|dark please] in the {room} => on=False
It is too dark in the {room} => on=True
---
The {room} needs light => on=True
Put the lamp in the {room} off => on=False
set_temperature | Set the temperature of a room | room:string=room, degrees:number=degrees
[Set|Heat|Turn] the {room} to {degrees} degrees
[Make it|I want] {degrees} degrees in the {room}
[Heating|Temperature] in the {room} [to|at] {degrees} degrees
---
The {room} should have {degrees} degrees
Let the thermostat in the {room} show {degrees} degrees
lock_door | Lock or unlock a door | door:string=door, locked:boolean=switch
[Lock|Please lock|Close and lock] the {door} => locked=True
[Unlock|Please unlock|Open the lock of] the {door} => locked=False
[Is the {door} open? Lock it|Make sure the {door} is locked] => locked=True
---
Bolt the {door} for the night => locked=True
Someone waits outside, unlock the {door} => locked=False
add_to_list | Add an item to a shopping list | item:string=item, quantity:integer=count
[Add|Put] {item} [to|on] [my|the] [shopping list|list]
[Add|Put] {quantity} {item} [to|on] [my|the] [shopping list|list]
[We need|I need to buy|We are out of] {item}, [add it to the list|put it on the list]
---
Note down {quantity} {item} on the shopping list
There is no {item} left, list it
create_reminder | Create a reminder | text:string=topic, date:string=day
Remind me [of|about] {text} on {date}
[Create|Set|Add] a reminder [for|about] {text} on {date}
[Don't let me forget|I must not forget] {text} on {date}
---
On {date}, {text} must not slip my mind
Nudge me about {text} on {date}
find_contact | Look up a contact | name:string=person
[Find|Look up|Show] the [contact|number|address] of {name}
What is the [phone number|number|address] of {name}
[Search|Check] my contacts for {name}
---
How do I reach {name}
Open the address book entry of {name}
call_contact | Call a person by phone | name:string=name
[Call|Phone|Ring] {name} [please|now|]
[I want to|Let me] [talk|speak] to {name} [on the phone|by phone]
[Make a call|Start a call] to {name}
---
Dial {name} for me
Get {name} on the line
send_message | Send a text message | to:string=name, text:string=topic
[Text|Message] {to} [about|with] {text}
[Send|Write] {to} a [text|message|text message]: {text}
Tell {to} about {text}
---
Drop {to} a line: {text}
{to} should get a text saying {text}
translate | Translate text into a language | text:string=topic, language:string=language
[Translate|Put] {text} [into|to] {language}
How do [I|you] say {text} in {language}
What is {text} in {language}
---
I need the {language} words for {text}
Give me {text} translated to {language}
get_route | Directions between two places | start:string=street, goal:string=street
[Show|Find] [me|] the [way|route] from {start} to {goal}
How do I [get|drive|walk] from {start} to {goal}
[Directions|Route] from {start} to {goal}
---
Navigate me to {goal}, I start at {start}
I am at {start}, guide me to {goal}
order_taxi | Order a taxi | pickup:string=street, time:string=time
[Order|Call|Get] [me|] a [taxi|cab] to {pickup}
[Order|Book] a [taxi|cab] for {time} at {pickup}
I need a [taxi|cab] at {pickup} at {time}
---
Have a cab wait at {pickup}, {time}
A taxi should pick me up from {pickup}
order_food | Order a dish for delivery | dish:string=dish, quantity:integer=count
[Order|Get|Bring] [me|us|] {quantity} {dish}
I [want|would like] [to order|] {quantity} {dish}
[Order|I am hungry, order] [a|one] {dish} => quantity=1
---
{quantity} {dish} to my home please
We feel like eating {quantity} {dish}
track_package | Status of a parcel | code:string=code
[Where is|Track|Find] [my|the] [package|parcel|order] {code}
[What is the status|Show the status] of [parcel|package|shipment] {code}
[Has|When will] {code} [arrived|arrive|been delivered]
---
Parcel number {code}, how far has it got
Follow the shipment with the number {code}
get_order | Details of an order | order_id:integer=large
[Show|Open|Get|Find] order {order_id}
[What is in|What about|Details of] order [number|] {order_id}
I have a question about order {order_id}
---
Bring up the order with number {order_id}
Which articles belong to order {order_id}
cancel_order | Cancel an order | order_id:integer=large, refund:boolean=switch
[Cancel|Stop|Please cancel] [my|the] order {order_id}
[Cancel|Stop] order {order_id} [and refund it|with a refund|and give me my money back] => refund=True
Cancel order {order_id} without [a refund|refund] => refund=False
---
Order {order_id} is no longer wanted
Call off order {order_id} and pay me back => refund=True
create_ticket | Open a support ticket | title:string=topic, priority:integer=small
[Open|Create|File] a [ticket|support ticket] [about|for] {title}
[Open|Create|File] a [ticket|support ticket] about {title} with priority {priority}
[Report|New ticket:] {title}, priority {priority}
---
Support should look at {title}, give it priority {priority}
Raise a ticket concerning {title}
close_ticket | Close a support ticket | ticket_id:string=code
[Close|Resolve|Finish] [ticket|the ticket|support ticket] {ticket_id}
[Ticket|The ticket] {ticket_id} [is done|can be closed|is solved], [close it|please close]
---
You may shut ticket {ticket_id}
The problem in {ticket_id} is gone, close the ticket
reset_password | Reset the password of a user | user:string=email
[Reset|Renew|Change] the password [of|for] {user}
{user} [forgot the password|can't log in], [reset it|please reset the password]
[New password for|Password reset for] {user}
---
Give {user} a fresh password
The login of {user} needs a password reset
add_user | Create a user account | name:string=person, email:string=email, admin:boolean=switch
[Add|Create] [a user|an account] for {name} with [the mail|email] {email}
[Add|Create] {name}, {email}, as [an admin|administrator] => admin=True
New [user|account] {name}, [email|mail] {email}, [no admin|not an admin] => admin=False
---
{name} joins us, set up a login with {email}
Register {name} with {email} as administrator => admin=True
restart_server | Restart a server | server:string=host
[Restart|Reboot] [the server|server|] {server}
{server} [hangs|is down|does not answer], [restart it|reboot it|please restart]
---
Give {server} a reboot
Server {server} must be started again
run_query | Count the rows of a table since a date | table:string=table, since:string=date
[Count|How many] [the rows of|rows in] {table} since {since}
How many {table} [are there|do we have] since {since}
[Number of|Total of] {table} since {since}
---
Tell me the count of {table} from {since} on
Since {since}, how large has {table} become
calculate_loan | Monthly rate of a loan | amount:integer=large, years:integer=count, interest:number=degrees
[Calculate|Compute] [a loan|the rate of a loan] of {amount} euros over {years} years
What do I pay for {amount} euros over {years} years at {interest} percent
Loan of {amount} euros, {years} years, {interest} percent
---
I borrow {amount} euros for {years} years, what is the rate
{interest} percent on {amount} euros during {years} years, compute it
calculate_tip | Tip for a bill | bill:number=amount, percent:integer=percent
[Calculate|What is|Compute] [a|the] tip of {percent} percent on {bill}
How much tip is {percent} percent of {bill}
[Tip for|Tip on] a bill of {bill} [euros|] with {percent} percent
---
The bill is {bill}, I want to give {percent} percent tip
{percent} percent gratuity on {bill}
log_meal | Write a meal to the food diary | food:string=dish, calories:integer=large
I [ate|had] {food} with {calories} calories
[Log|Add|Write down] {food}, {calories} calories
[Log|Note] [a meal|my lunch]: {food} [of|with] {calories} calories
---
My dinner was {food}, about {calories} calories
Food diary: {food} for {calories} calories
log_workout | Write a workout to the diary | sport:string=sport, minutes:integer=minutes
I [did|have done|finished] {minutes} minutes of {sport}
[Log|Add|Write down] {minutes} minutes of {sport}
[Log|Note] [my training|a workout]: {sport}, {minutes} minutes
---
Today it was {sport} for {minutes} minutes
Put {minutes} minutes of {sport} in my training diary
book_appointment | Appointment with a doctor | doctor:string=last, date:string=day, time:string=time
[Book|Make|Get] an appointment with [Dr|doctor] {doctor} on {date}
[Book|Make] an appointment with [Dr|doctor] {doctor} on {date} at {time}
I [need|want] to see [Dr|doctor] {doctor} on {date} at {time}
---
Can Dr {doctor} see me on {date}
Put me down for Dr {doctor}, {date}, {time}
request_leave | Ask for days off | start:string=date, end:string=date
[I want|I would like|Please give me] [leave|vacation|days off] from {start} to {end}
[Request|Enter|Book] [leave|vacation] from {start} [to|until] {end}
I am away from {start} to {end}
---
My holiday begins on {start} and ends on {end}
Keep me off the roster between {start} and {end}
get_news | News about a topic | topic:string=topic, limit:integer=count
[Show|Get|Read] [me|] [the news|news] about {topic}
[Show|Give] me {limit} [news|articles|stories] about {topic}
What is new [about|in] {topic}
---
What do the papers write about {topic}
The top {limit} headlines on {topic}
find_recipe | Find a recipe | ingredient:string=item, minutes:integer=minutes
[Find|Show me|Give me] a recipe with {ingredient}
What can I cook with {ingredient} [in|within] {minutes} minutes
A recipe with {ingredient} in [under|] {minutes} minutes
---
I have {ingredient} at home, what could I make of it
Cook something with {ingredient}, it may take {minutes} minutes
buy_ticket | Buy event tickets | event:string=place, seats:integer=people
[Buy|Get|Order] {seats} tickets for {event}
I [want|need] {seats} [tickets|seats] for {event}
[Tickets|Seats] for {event}, {seats} [please|of them|]
---
{seats} of us would like to see {event}
Secure {seats} places at {event}
"""

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
          "the {} invoice", "{} repairs", "the history of {}", "a party at {}", "the {} budget", "{} training", "my {} order", "{}", "{}"],
         ["the {} workshop", "dinner with {}", "the {} delivery", "the future of {}", "{} maintenance", "the {} conference", "{}"]]
"""Patterns of topics; {} is a made-up word."""


def parse(text):
    functions = []
    for line in text.strip().splitlines():
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


FUNCTIONS = parse(TEXT)
