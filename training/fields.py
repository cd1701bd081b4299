"""The pool of fields for JSON extraction, from wordings/fields.txt; then the topics, which say what fields a message may hold."""
import words

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

def parse(lines):
    fields, part = {}, 0
    for line in lines:
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


FIELDS = parse(words.lines("fields"))
