"""The pool of fields for JSON extraction: keys, type=kind, wordings for training and (after ---) held-out ones; then the topics.

{} is the value; a boolean field has its value after =>.
"""

TEXT = """
name, customer, full_name | string=person
[My name is|This is|I am|I'm] {}
Name: {}
[Yours|Regards|Best], {}
---
The name is {}
You are talking to {}
first_name, guest | string=first
[I am called|Call me|My first name is] {}
[First name|Guest]: {}
[It is for|This is for] {}
---
People call me {}
Signed: {}
city, town, location | string=city
[I live in|I am from|We are in|I am based in] {}
[City|Town|Place]: {}
[It is in|The place is|You find us in] {}
---
My home is {}
We are located in {}
destination, to, goal | string=city
[I want to go to|The trip goes to|We travel to|The destination is] {}
[Destination|To]: {}
[Take me to|Going to] {}
---
My journey ends in {}
We are heading for {}
origin, from, start | string=city
[I start in|We leave from|I come from|The start is] {}
[Origin|From]: {}
[Departure in|Starting in] {}
---
The journey begins in {}
We set off in {}
date, day | string=date
[The date is|It is on|It was on|Please take] {}
[Date|Day|When]: {}
[On|For] {}
---
The day is {}
Let us say {}
deadline, due_date | string=date
[The deadline is|It is due on|It must be done by|We need it by] {}
[Deadline|Due]: {}
[No later than|Until] {}
---
All has to be finished by {}
The last day is {}
time, hour | string=time
[The time is|It starts at|We meet at|We come at] {}
[Time|Hour]: {}
[At|From] {}
---
Be there at {}
We begin at {}
email, mail, contact | string=email
[My email is|Write to|Reach me at|My address is] {}
[Email|Mail|E-mail]: {}
[Answer to|Please mail] {}
---
You can mail me at {}
Contact address {}
phone, telephone | string=phone
[My number is|Call me at|My phone number is|Ring] {}
[Phone|Tel|Telephone]: {}
[You reach me at|Mobile] {}
---
Please dial {}
I pick up the phone at {}
company, firm, employer | string=company
[I work for|I am with|Our company is|We are] {}
[Company|Firm|Employer]: {}
[It was sold by|The company is called] {}
---
My employer is {}
The firm goes by the name {}
address, street | string=street
[The address is|I live at|Send it to|Deliver to] {}
[Address|Street]: {}
[You find me at|Our office is at] {}
---
The house is at {}
Come to {}
order_id, order_number, order | integer=large
[The order number is|My order is|It is about order|Order number] {}
[Order|Order no]: {}
[I ordered under|My order has the number] {}
---
The number of my order: {}
This concerns order {}
code, reference, id | string=code
[The reference is|My code is|The code says|Reference number] {}
[Reference|Code|Ref]: {}
[Use the code|It has the code] {}
---
You find it under {}
The code to quote is {}
price, amount, total | number=amount
[The price is|It costs|I paid|The total is] {} [euros|dollars|]
[Price|Amount|Total]: {}
[For|It was] {} [euros|dollars]
---
The bill came to {} euros
They charged {}
people, guests, persons | integer=people
[We are|There are|It is for|A group of] {} people
[People|Guests|Persons]: {}
[For|With] {} [people|guests|persons]
---
There will be {} of us
We come with {} guests
nights, days | integer=count
[We stay|I stay|For] {} [nights|days]
[Nights|Days]: {}
[It takes|It lasts] {} [nights|days]
---
The stay is {} nights
{} nights in all
quantity, count, pieces | integer=large
[I need|Please send|We want|I order] {} pieces
[Quantity|Count|Pieces]: {}
[It was|There were] {} pieces
---
The number of pieces is {}
We would take {} pieces
product, item, article | string=thing
[It is about|I bought|I want|I am looking for] [a|the] {}
[Product|Item|Article]: {}
[Please send the|We sell the|I have a problem with the] {}
---
The thing in question is the {}
My interest is in the {}
color, colour | string=color
[It is|The colour is|In|It should be] {}
[Color|Colour]: {}
[I like it in|Please choose] {}
---
I prefer {}
Its colour would be {}
age, years | integer=age
[I am|He is|She is] {} years old
Age: {}
[My age is|Aged] {}
---
I have just turned {}
The age would be {}
job, profession, position | string=job
[I work as|I am] a {}
[Job|Profession|Position]: {}
[I apply as a|We look for a|My job is] {}
---
My trade is {}
I earn my living as a {}
experience, years_of_experience | integer=count
[I have|With] {} years of experience
Experience: {} years
[I have done this for|In the job for] {} years
---
I bring {} years of practice
My experience is {} years
rating, stars | integer=small
[I give it|My rating is|It gets] {} [stars|points]
[Rating|Stars]: {}
[I rate it|We give] {} out of 5
---
My verdict: {} stars
It deserves {} stars
size, area | number=amount
[The size is|It has|It is] {} [square metres|metres]
[Size|Area]: {}
[With a size of|It measures] {} [metres|square metres]
---
There are {} square metres
The area comes to {}
weight, kilos | number=degrees
[It weighs|The weight is|It has] {} [kilos|kg]
Weight: {} kg
[With|About] {} [kilos|kg]
---
On the scales it shows {} kilos
Its weight in kilos is {}
rooms, bedrooms | integer=small
[It has|There are|With] {} rooms
Rooms: {}
[We need|A flat with] {} [rooms|bedrooms]
---
You get {} rooms
The number of rooms is {}
project, title, topic | string=made_up
[The project is called|The topic is|It is about|The title is] {}
[Project|Title|Topic]: {}
[We work on|The subject is] {}
---
The matter at hand is {}
We named it {}
manager, owner, assignee | string=person
[The manager is|It belongs to|Please give it to|The owner is] {}
[Manager|Owner|Assignee]: {}
[Ask for|It is led by] {}
---
In charge is {}
Responsible for it: {}
urgent, priority | boolean=flag
[It is urgent|This is very urgent|Please hurry|As soon as possible] => true
[It is not urgent|There is no hurry|Take your time] => false
---
It cannot wait => true
It can wait => false
breakfast, with_breakfast | boolean=flag
[With breakfast|We want breakfast|Breakfast included|Please add breakfast] => true
[Without breakfast|No breakfast|We don't want breakfast] => false
---
Breakfast would be nice => true
We can do without breakfast => false
paid, is_paid | boolean=flag
[It is paid|I have paid|Already paid|The bill is paid] => true
[It is not paid|I have not paid|Not paid yet|The bill is open] => false
---
The money has been sent => true
I still have to pay => false
"""

TOPICS = [  # (openings for training, held out), keys (the first of each field)
    (["I want to book a room", "A hotel room please", "I need a hotel", "Hotel booking"], ["We are looking for a place to stay"],
     "name city date nights people breakfast email phone"),
    (["I want to book a table", "A table please", "Table booking", "We want to eat at your place"], ["Could you keep a table for us"],
     "name people date time phone first_name"),
    (["I need a train ticket", "I want to travel", "Trip request", "Please book a flight"], ["We plan a journey"],
     "name destination origin date time people"),
    (["I have a problem with my order", "Question about my order", "Complaint", "My order is wrong"], ["Something went wrong with what I bought"],
     "name order_id product email date urgent"),
    (["New invoice", "Please pay this invoice", "Here is the bill", "Invoice from us"], ["We send you our bill"],
     "company code price deadline paid city"),
    (["I apply for the job", "Job application", "I want to work for you", "Here is my application"], ["I would be glad to join your team"],
     "name job experience age city email phone"),
    (["Meeting", "We plan a meeting", "Invitation to a meeting", "Let us meet"], ["May I invite you to a talk"],
     "project date time city manager people"),
    (["I sell this", "For sale", "Offer", "New in our shop"], ["We have something to sell"],
     "product color price quantity weight company"),
    (["Flat to rent", "I offer a flat", "We look for a flat", "Apartment"], ["There is a flat to let"],
     "city address size rooms price phone"),
    (["Task", "New task", "Please do this", "To do"], ["There is some work to do"],
     "project manager deadline urgent code"),
    (["I lost something", "Lost property", "I left something on the train", "Lost and found"], ["Something of mine is gone"],
     "product color date city name phone"),
    (["Please deliver this", "Delivery", "Send a parcel", "Parcel"], ["Something has to be brought to a customer"],
     "first_name address city weight code time"),
    (["My review", "Review", "I want to rate this", "Feedback"], ["Here is what I think"],
     "product rating company price first_name date"),
    (["Appointment at the doctor", "I need an appointment", "New patient", "Patient"], ["I would like to see the doctor"],
     "name age date time phone urgent"),
    (["Order", "I want to order", "New order", "Please send"], ["We would like to buy from you"],
     "company product quantity color deadline address"),
    (["New customer", "Contact", "Please add me", "My data"], ["Let me tell you about myself"],
     "name age city job email company address"),
]

THINGS = ("lamp|chair|table|phone|laptop|bag|coat|jacket|watch|camera|bike|sofa|book|printer|mirror|tent|guitar|umbrella|ring|wallet|carpet|radio"
          .split("|"), "desk|scarf|violin|helmet|kettle|vase|suitcase|tablet|shelf".split("|"))
COLORS = "red|blue|green|black|white|yellow|brown|grey|pink|silver".split("|"), "orange|purple|golden|beige|turquoise".split("|")
JOBS = "teacher|nurse|baker|driver|engineer|cook|waiter|painter|lawyer|gardener|dentist|pilot|plumber|designer".split("|"), \
    "carpenter|librarian|butcher|architect|translator|tailor".split("|")


def parse(text):
    fields, part = {}, 0
    for line in text.strip().splitlines():
        if " | " in line and "[" not in line:
            keys, kind = line.split(" | ")
            keys, (kind, value) = keys.split(", "), kind.split("=")
            fields[keys[0]] = {"keys": keys, "type": kind, "value": value, "says": ([], [])}
            part = 0
        elif line == "---":
            part = 1
        else:
            fields[keys[0]]["says"][part].append(line)
    return fields


FIELDS = parse(TEXT)
