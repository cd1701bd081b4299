"""The pool of intents for routing: domain, labels, descriptions, wordings for training and (after ---) held-out ones."""

TEXT = """
# banking
card_lost, lost_card | a card is lost or stolen; missing or stolen bank card
I [lost|can't find|misplaced|left somewhere] my [debit|credit|bank] card
[Somebody|Someone|A thief] stole my [card|wallet with my card]
My [card|bank card] [is gone|has disappeared|was stolen|is missing]
[Block|Freeze] my card, I [think it was stolen|lost it on the train]
---
My purse was taken and my credit card with it
I think I dropped my bank card in a taxi
balance, account_balance | how much money is in the account; account balance
[What is|Tell me|Show me] my [account|current] balance
How much [money|cash] [do I have|is left] [in|on] my account
[Can you check|I want to know] the balance of my [savings|checking] account
Do I still have [enough money|any funds] in my account
---
What amount is on my account right now
Check how much I have left in savings
transfer, send_money | send money to another account; bank transfers
I want to [transfer|send|wire] [money|some money|funds] to [my brother|a friend|another account]
How do I [send|transfer] money to [another bank|someone abroad]
[Move|Transfer] [200|50|75|900] euros to my [savings|joint] account
Can I make a [bank transfer|wire transfer] to [another country|my landlord]
---
Please wire some cash to my sister's account
I need to move funds over to a different bank
loan, loan_request | ask for a loan or mortgage; borrowing money
I [want|would like|need] to [take out|apply for|get] a [loan|mortgage|personal loan]
What [is the interest rate|are the rates] for a [loan|mortgage|car loan]
Can I borrow [money|5000 euros|some money] from [you|the bank]
We want to buy a house and need a [mortgage|loan]
---
How much could I borrow for a new car
I am interested in a home loan
fraud, report_fraud | payments the customer did not make; suspicious or unknown charges
There is a [charge|payment|debit] [I did not make|I don't recognise|I never made] on my [statement|account]
[Someone|A stranger] used my [account|card details] [to buy things|without my permission]
I see [suspicious|strange|unknown] [charges|payments|transactions] on my [card|account]
I think I [was scammed|am the victim of fraud]
---
Somebody has been shopping with my card number, it was not me
An unknown payment shows up on my statement
atm, cash_machine | problems with a cash machine; ATM trouble
The [ATM|cash machine] [swallowed|kept|ate] my card
The [ATM|cash machine] [gave me no money|did not give me cash|is out of order]
Where is the [nearest|closest] [ATM|cash machine]
[I tried to withdraw cash but the machine failed|The machine gave me too little cash]
---
The cash machine at your branch would not give my card back
Is there an ATM near the station
exchange_rate, currency | foreign currency and rates; exchange rates
What is the [exchange rate|rate] for [dollars|pounds|yen|euros] [today|now]
How many [dollars|pounds|yen] do I get for [100|500|1000] euros
I want to [exchange|change|buy] [currency|dollars|foreign money]
Do you [sell|exchange] [Swiss francs|pounds|foreign currency]
---
How much is one pound in euros today
I need some yen before my holiday in Japan
# shop
order_status, track_order | where an order is; delivery status of an order
Where is my [order|parcel|package]
When will my [order|package|parcel] [arrive|be delivered|come]
[Can you track|I want to track] my [order|package|delivery]
My [order|package] [has not arrived|is late|still isn't here]
---
I am still waiting for the parcel I ordered last week
Has my order been shipped yet
return_item, returns | send an item back; returning a product
I want to [return|send back] [the shoes|this jacket|my order|an item|the lamp]
How [can|do] I [return|send back] [an item|a product|something I bought]
The [shirt|dress|coat] [does not fit|is too small|is too big], I want to [return it|send it back]
I [changed my mind|don't like it], can I give it back
---
These trousers are the wrong size, how do I send them back
I would like to give back the toaster I bought
refund, money_back | get money back; refunds
I want [a refund|my money back]
When [do I get|will I get|will I receive] my [refund|money back]
[My refund has not arrived|I am still waiting for my refund]
[You charged me twice, please refund me|Please refund the payment]
---
I sent it back weeks ago and got no money yet
Could you reimburse me for the cancelled order
damaged_item, broken_product | an item arrived broken; damaged goods
The [vase|glass|lamp|phone|screen|chair] [arrived|came] [broken|damaged|cracked|in pieces]
[My package was damaged|The item is defective|The product is faulty]
I [received|got] a [broken|damaged|defective] [item|product|mirror]
There is a [scratch|crack|hole] in the [table|cup|shirt] you sent
---
The plates were smashed when I opened the box
The radio you delivered does not work, it is defective
discount, voucher | vouchers and discount codes; coupons and price reductions
My [discount code|voucher|coupon] [does not work|is not accepted|is invalid]
Do you [have|offer] [a discount|coupons|vouchers] for [students|new customers|me]
How do I [use|redeem] [a voucher|a gift card|my coupon|a promo code]
Is there a [sale|special offer|promotion] [now|this week|soon]
---
The promo code was rejected at the checkout
Can students get a lower price with a coupon
stock, availability | whether a product is available; items in stock
Is [the blue jacket|this bike|the red lamp|size 42] [in stock|available|sold out]
When will [the boots|this model|the tent] be [available|back in stock] again
Do you [have|still have] [this shirt|the sofa|these shoes] in [green|black|size M]
[Is it sold out|How many of these do you have left]
---
Will the green tent be in stock again soon
Are those boots still available in size 39
change_address, delivery_address | change the delivery address; deliver somewhere else
I want to [change|update|correct] [my|the] [delivery|shipping] address
I [moved|have moved], [please send my order to the new address|the address on my order is wrong]
Can you [deliver|ship] [it|my order] to [another|a different] address
I [entered|typed|gave] the wrong [address|street] for my [order|delivery]
---
Please ship the parcel to my office instead of my home
The street on my order is not correct any more
cancel_order, order_cancellation | cancel an order; stop an order before delivery
[I want to|Please|Can you] cancel my order
How [do|can] I cancel [an order|the order|my purchase]
I [ordered by mistake|don't need it anymore], please cancel [it|the order]
[Stop|Cancel] my [order|purchase] before it [ships|is sent]
---
I clicked buy by accident, please stop the order
I no longer want what I ordered yesterday, call it off
# travel
book_flight, flight_booking | book a flight; plane tickets
I [want|need|would like] to [book|buy] a [flight|plane ticket]
[Book|Find] me a flight to [the coast|the capital|Spain|Japan]
Are there [cheap|direct] flights to [Italy|Canada|Greece] [next week|in May]
I [want|need] to fly to [Egypt|Norway|the islands] [tomorrow|on Monday]
---
Get me a seat on a plane to Portugal
I'd like to buy two plane tickets for the summer
book_hotel, hotel_booking | book a hotel room; rooms and overnight stays
I [want|need] [a hotel|a room|a double room|a hotel room] for [two nights|the weekend|three nights]
[Book|Reserve|Find] [a hotel|a room] [near the station|with breakfast|in the centre]
Do you have [a free room|rooms|a single room] [tonight|next week|for four people]
Is there a [cheap|nice|quiet] hotel [near the beach|nearby|in town]
---
We need a place to stay for two nights with breakfast
Reserve a double room for the weekend
cancel_trip, cancel_booking | cancel a journey or reservation; trip cancellation
I [want|need|have] to cancel my [trip|flight|booking|reservation|journey]
[Please cancel|Can you cancel] my [hotel booking|flight|reservation]
I [cannot|can't] travel, [cancel my booking|please cancel everything]
What does it cost to cancel my [flight|trip]
---
We have fallen ill and must call off our holiday trip
Please cancel the reservation for my flight
baggage, luggage | suitcases and bags; lost or extra luggage
My [suitcase|bag|luggage|baggage] [is lost|did not arrive|was damaged|is missing]
How many [bags|suitcases] [can|may] I [take|bring] on the plane
[How heavy|How big] can my [suitcase|hand luggage|bag] be
I want to add [a bag|extra luggage|a suitcase] to my [flight|booking]
---
After landing my bag never showed up on the belt
What is the weight limit for a suitcase
visa, travel_documents | passports and visas; documents for travel
Do I need a [visa|passport] for [India|Brazil|Turkey|China|Kenya]
How [do|can] I [get|apply for] a [visa|passport]
My passport [has expired|is lost|expires soon], can I [travel|fly]
Which [documents|papers] do I need to [enter the country|travel|cross the border]
---
Is an identity card enough to enter Morocco or must I have a visa
My passport runs out next month
delay, late_departure | late trains and flights; delays
My [flight|train|bus] [is delayed|is late|has a delay]
[How late is|Is there a delay of] the [train|flight|bus]
I missed my [connection|connecting flight] because [of a delay|the train was late]
[The train is two hours late|Our plane still has not left]
---
Our train has been standing for an hour, when does it go on
Will the flight leave on time or is it late
car_rental, rent_car | rent a car; hire cars
I [want|need|would like] to [rent|hire] a [car|van|small car]
How much [is|does] a [rental car|hire car] [cost|per day]
[Can I|Where do I] [pick up|return] the [rental car|hire car]
Do you [rent|have] [electric cars|vans|automatic cars]
---
I am looking for a van to hire for three days
What is the price of renting a car at the airport
# it
password, reset_password | forgotten passwords; password reset
I [forgot|can't remember|lost] my password
[Please reset|How do I reset|I need to reset|I want to change] my password
My password [does not work|has expired|is not accepted]
I [can't|cannot] log in, [wrong password|it says the password is wrong]
---
I need a new password for my login
The system refuses my password since this morning
printer, printing | printer problems; printing and paper
The printer [does not print|is broken|is jammed|is offline|prints nothing]
[There is a paper jam|Paper is stuck] in the printer
The [printer|copier] [needs toner|is out of ink|is out of paper]
I [can't|cannot] print [my document|anything|in colour]
---
My document comes out of the printer blank
The copier on our floor needs new toner
wifi, network | wireless and network problems; no internet in the office
The [wifi|wireless|network|internet] [is down|does not work|is slow|keeps dropping]
I [can't|cannot] connect to the [wifi|network|internet]
[There is no internet|No network] [in the meeting room|on my laptop|in the office]
What is the [wifi|network] [password|name] for [guests|visitors]
---
My laptop finds no wireless network in the meeting room
The internet connection keeps breaking off
new_laptop, hardware_request | ask for new hardware; laptops, screens and keyboards
I need a new [laptop|monitor|keyboard|mouse|headset|screen]
[Can I get|I would like] a [second monitor|docking station|new laptop|better computer]
My [laptop|computer] is [too old|very slow|five years old], I [need a new one|want another]
Please order a [keyboard|monitor|mouse|webcam] for [me|our new colleague]
---
Could I have a second screen for my desk
A colleague starts soon and needs a notebook and a mouse
software_install, install_software | installing programs; software and licences
[Please install|I need|Can you install] [the editor|the new version|a PDF reader|the drawing program] on my [computer|laptop]
I need a licence for [the drawing program|the editor|this software]
How [do|can] I [install|update] [the program|this software|the app]
[The installation fails|I am not allowed to install programs|The update does not install]
---
I lack the rights to install a program on my PC
Please put the spreadsheet software on my machine
email_problem, mail_trouble | e-mail does not work; mailbox problems
I [can't|cannot|don't] [send|receive|get] [e-mails|emails|mail]
My [mailbox|inbox] is [full|empty|not loading]
[My e-mail|Outlook|The mail program] [does not work|crashes|does not open]
[I get too much spam|All mails end up in the spam folder]
---
No messages have reached my inbox since yesterday
The mail program says my mailbox is full
virus, security_incident | viruses, phishing, hacked computers; security incidents
I [clicked on|opened] a [strange link|suspicious attachment|phishing mail]
[I think my computer has|There is] a virus [on my laptop|on my PC|here]
My [account|computer] [was hacked|has been hacked]
[I got a phishing mail|Somebody asks for my password by mail|My files are encrypted by ransomware]
---
An odd attachment opened and now my PC behaves strangely, maybe a virus
I received a mail that looks like phishing
vpn, remote_access | working from home; VPN and remote access
The VPN [does not connect|is slow|keeps disconnecting|does not work]
I [can't|cannot] [reach|access] the [server|company network] from home
How do I [set up|get|use] [the VPN|remote access]
I [work from home|am abroad] and need [remote access|the VPN]
---
From my home office I do not get into the company network
Please set up remote access for my trip
# telecom
no_signal, phone_signal | no reception on the phone; mobile network problems
I have no [signal|reception|network] [on my phone|at home|here]
My phone [has no reception|shows no bars|finds no network]
[Calls drop|My calls keep dropping] [all the time|after a minute]
The [mobile network|signal] is [very weak|bad|down] [here|in my street]
---
There is hardly any reception in our village
All my calls break off, the signal is poor
mobile_plan, change_plan | change the phone contract; tariffs and plans
I want to [change|upgrade|switch] my [plan|tariff|contract]
[Which plans|What tariffs] do you [have|offer]
I need [more data|a bigger plan|a cheaper tariff]
[Do you have a plan|Is there a tariff] with [unlimited data|free calls]
---
My data is always used up, is there a larger plan
I would like to move to a cheaper contract
roaming, abroad | using the phone abroad; roaming costs
[Does my phone|Will my SIM] work [abroad|in Switzerland|in the USA|outside the EU]
[What does roaming cost|How much is roaming] in [Turkey|the USA|Japan]
How do I [switch on|turn off|activate] roaming
I [travel abroad|am going abroad], can I [use my data there|call home]
---
What will I pay for calls from Mexico
Can I surf with my phone while I am in Norway
phone_bill, telephone_invoice | the phone invoice; questions about the phone bill
My [phone bill|telephone bill|mobile bill] is [too high|wrong|higher than usual]
Why is my [phone|mobile] bill so [high|expensive]
[I don't understand|Please explain] my phone bill
Please send me my [phone bill|mobile invoice] [again|by mail]
---
This month's mobile invoice is twice what it usually is
What are these extra items on my telephone bill
sim_card, new_sim | SIM cards; new or blocked SIM
I need a new SIM [card|card for my phone]
My SIM [card is blocked|card is broken|is locked|does not work]
[I entered the wrong PIN three times|I need the PUK for my SIM]
[How do I activate|Where do I put] [my SIM card|the eSIM|my new SIM]
---
The phone says the SIM is locked and wants a PUK
How do I get an eSIM instead of the plastic card
keep_number, number_transfer | keep the number when changing provider; moving a phone number
[Can I|I want to] [keep|take] my [number|phone number|old number]
How do I [move|transfer|port] my [number|phone number] to you
I [switch|am changing] provider and want to keep my number
[How long does number porting take|When will my old number work]
---
I come from another provider, may my number stay the same
Please port my old phone number over
# smart_home
lights_on, turn_on_lights | switch lights on; make it brighter
[Turn|Switch] on the [light|lights|lamp] in the [kitchen|hall|bedroom|bathroom]
[It is too dark|It's dark] [in here|in the hall|in the kitchen]
[Lights on|Light on|Make it brighter] [please|in the living room|now]
I [need|want] [more light|some light] [here|at my desk]
---
Could we have some light in the garage
I can see nothing, please switch the lamp on
lights_off, turn_off_lights | switch lights off; make it dark
[Turn|Switch] off the [light|lights|lamp] in the [kitchen|hall|bedroom|bathroom]
[Lights off|Light off|Lights out] [please|in the bedroom|now]
[It is too bright|It's too bright] [in here|for me]
I [want|am going] to sleep, [make it dark|lights out]
---
Nobody is in the hall, put the lamp out
Please make the bedroom dark
heating, temperature | heating and room temperature; warmer or colder rooms
[Set|Turn] the heating to [20|22|19|21] degrees
It is [too cold|too warm|freezing|chilly] [in here|in the bedroom|at home]
[Turn up|Turn down|Switch on] the [heating|heater|radiator]
[Make it warmer|Make it cooler] in the [office|living room|bathroom]
---
I am shivering, could it be a bit warmer in the study
Lower the radiator in the nursery
music, play_music | play songs or radio; music and volume
[Play|Put on] [some music|jazz|my favourite song|the radio|my playlist]
[Turn|Make] the music [louder|quieter|up|down]
[Stop|Pause] the [music|song]
I want to [hear|listen to] [a song|the radio|rock|classical music]
---
Let me hear some piano tunes
Next song please and a little louder
alarm, wake_up | alarms and waking up; alarm clock
[Wake me|Set an alarm] [at seven|at 6:30|tomorrow at eight|for half past five]
[Cancel|Delete|Turn off] [my|the] alarm
I [must|have to|need to] [get up|wake up] at [six|5:45|nine]
[Change|Move] my alarm to [seven|8:15|nine]
---
Make sure I am awake by half past six
Ring at five in the morning
timer, kitchen_timer | timers and countdowns
[Set|Start] a timer for [ten minutes|5 minutes|an hour|the eggs]
[How much time is left|Stop the timer|Cancel the timer]
[Tell me|Remind me] when [ten minutes|20 minutes] are over
Count down from [sixty seconds|ten minutes]
---
The pasta needs nine minutes, please count down
How long does the timer still run
lock_door, doors | locking and unlocking doors; door locks
[Lock|Unlock] the [front door|back door|door|garage]
[Is the front door locked|Did I lock the door|Are all doors locked]
[Open|Close] the [garage door|front door|gate]
I [forgot to lock|did not lock] the [door|house]
---
Let my neighbour in by opening the gate
Check that the house is locked
camera, security_camera | cameras at home; see who is there
[Show|Show me] the [camera|video] [at the door|in the garden|of the garage]
Who is at the [door|gate]
[Is somebody in the garden|Did the camera see anyone]
[Turn on|Switch off|Start] the [camera|cameras|recording]
---
Let me see the driveway on video
Was anybody near the house while I was away
weather, forecast | the weather; rain, sun and forecast
[What is the weather|How is the weather] [today|tomorrow|outside|at the weekend]
[Will it|Is it going to] [rain|snow|be sunny] [today|tomorrow|this afternoon]
Do I need [an umbrella|a coat|sun cream] [today|tomorrow]
[How warm|How cold] [is it outside|will it be tomorrow]
---
Should I take a raincoat this evening
Is the sun going to shine on Sunday
# hr
vacation, leave_request | days off and holidays; asking for leave
I [want|would like|need] to take [vacation|a week off|Friday off|two days off]
How many [vacation days|days off] do I have [left|this year]
[Can I|May I] [take leave|have a day off|go on vacation] [in June|next week|on Monday]
[Please approve|Where do I enter] my [vacation|leave request]
---
I'd like the last week of August off
How much leave remains for me this year
sick_leave, sick_note | reporting sick; illness and sick notes
I am [sick|ill] [today|and can't come to work|since Monday]
I [have a fever|have the flu|feel ill] and [stay at home|can't work]
Where do I [send|hand in] my [sick note|doctor's note]
I [want|need] to [call in sick|report sick]
---
I caught a cold and will not be in the office
To whom does the doctor's certificate go
salary, payroll | pay and payslips; wages
[When is|When do we get] [payday|the salary|our wages]
My [salary|pay|wage] is [wrong|too low|missing]
[Where is|Please send me] my [payslip|pay slip|salary statement]
I [want|would like] [a raise|more pay|to talk about my salary]
---
My wages for last month have not been paid
I cannot find the payslip for May
training_course, courses | courses and further education; employee training
I [want|would like] to [attend|take|book] a [course|training|seminar|workshop]
[Which courses|What trainings] do you [offer|have] [for beginners|this year]
Does the company pay for [my course|a language course|training]
I want to [learn|improve my] [Excel|Spanish|project management|English]
---
Is there a workshop on public speaking for staff
Sign me up for the seminar on time management
job_application, apply_job | applying for a job; open positions
I [want|would like] to apply for [a job|the position|the open position]
[Do you have|Are there] [open positions|any jobs|vacancies]
[What is the status of|Did you get] my application
[Here is my CV|I sent you my CV|Where do I send my CV]
---
Are you hiring engineers at the moment
I sent in my application two weeks ago, any news
expenses, travel_expenses | claim costs back; travel expenses
How do I [claim|submit|get back] my [expenses|travel costs|hotel bill]
[I paid for|I bought] [a taxi|a client lunch|a train ticket] [for work|on a business trip]
When will my [expenses|travel costs] be [paid|reimbursed]
Where do I [upload|hand in] [receipts|my receipts|the taxi receipt]
---
I have receipts from my business trip, what now
Who pays me back the dinner with our customer
working_hours, timesheet | working time and overtime; time sheets
[I forgot to|Where do I] [clock in|enter my hours|fill in my time sheet]
How many [hours|overtime hours] [do I have|did I work]
Can I [work part time|change my working hours|start earlier]
My [time sheet|overtime] is [wrong|missing]
---
I worked late all week, where is my overtime recorded
I'd like to go down to thirty hours a week
# health
book_appointment, make_appointment | make an appointment with a doctor; new appointments
I [want|need|would like] [an appointment|to see the doctor|to make an appointment]
[When is|Do you have] the [next free appointment|next free slot]
[Can I come in|Can I see a doctor] [today|tomorrow|this week]
I need a [check-up|dental appointment|blood test] [soon|next week]
---
When could Dr Hall see me
Please give me a slot with the dentist
cancel_appointment, appointment_cancellation | cancel or move a doctor's appointment
I [can't|cannot] come to my appointment
[Please cancel|I have to cancel|I need to move] my appointment
[Can we|I want to] [move|postpone|reschedule] my appointment
I [am sick|have no time], [cancel my appointment|can I come another day]
---
Something came up, I will miss my slot with the doctor
Could my visit to the dentist be on another day
prescription, repeat_prescription | prescriptions and medicine; refills
I need [a prescription|a new prescription|a refill|more tablets]
[My medicine is|My pills are] [running out|finished|nearly empty]
[Can I pick up|Is] my [prescription|medicine] [today|ready|at the pharmacy]
Please [renew|send|write] my prescription
---
I have only two tablets left, please write me some more
Could the doctor prescribe my asthma spray again
test_results, lab_results | results of tests; blood and laboratory results
[Are|Where are|Do you have] my [test results|blood results|lab results]
When [will I get|do I get] the results of my [blood test|scan|X-ray]
[Please send me|I am waiting for] my [lab report|test results|results]
What [do my results mean|did the blood test show]
---
Has the laboratory finished with my blood sample
I'd like to know what came out of my scan
health_insurance, coverage | insurance and coverage; who pays the treatment
[Does|Will] my insurance [pay for|cover] [this|the treatment|glasses|the operation]
I [have|got] a new [insurance card|health insurance]
[Which insurance do you accept|Do you take my insurance]
How much do I have to pay [myself|for the treatment|without insurance]
---
Is physiotherapy covered by my insurer
My insurance company has changed, what must I bring
vaccination, vaccine | vaccinations and shots
I [want|need] [a flu shot|a vaccination|a tetanus shot|to be vaccinated]
[Which|What] [vaccinations|shots] do I need for [Africa|my trip|my baby|school]
When is [my next|the second] [shot|vaccination|dose] [due|planned]
Do you [offer|have] [flu shots|the vaccine|vaccinations]
---
Is it time for my tetanus jab
My baby needs its first shots
symptoms, medical_advice | feeling unwell; pain and other symptoms
I have [a headache|stomach pain|a sore throat|a fever|a rash]
My [back|knee|tooth|ear|head] hurts
[My child|My son|My daughter] [has a fever|is coughing|feels sick]
I [feel dizzy|can't sleep|have been coughing for days], what should I do
---
There is a sharp pain in my shoulder
Red spots appeared on my arm and they itch
# restaurant
table_booking, reserve_table | reserve a table; restaurant reservations
[I want to book|Please reserve|I'd like] a table for [two|four|six] [tonight|at eight|tomorrow]
[Do you have|Is there] a [free table|table] [tonight|on Friday|for five people]
We are [four|three|ten] people and [want to eat at your place|need a table]
Can we sit [outside|by the window] [tonight|on Sunday]
---
Could you keep us a place by the window for dinner
We will be five on Saturday, have you got room
menu, dishes | the menu; dishes and drinks on offer
[What is on|Can I see|Please show me] the menu
[Do you have|Is there] [pizza|soup|fish|dessert] [on the menu|today]
[What is|What's] the [dish|soup] of the day
Which [wines|desserts|drinks] do you [have|serve]
---
What can one eat at your place on Mondays
Do you serve noodles or rice
allergy, food_allergy | allergies and diets; vegan, nuts and gluten
I am allergic to [nuts|milk|fish|eggs]
[Do you have|Is there] [vegan|gluten free|vegetarian] [food|dishes|pizza]
Does [the soup|the cake|this dish] contain [nuts|milk|gluten|eggs]
I [don't eat meat|can't eat gluten|am vegan]
---
Milk makes me ill, is there any in the sauce
My wife is vegetarian, what do you suggest
food_delivery, delivery_order | order food to take home; meals delivered
I [want|would like] to order [a pizza|two burgers|sushi|dinner] [for delivery|to my home]
[Do you deliver|Can you deliver] [to my street|food|to my house]
Where is my [pizza|food|dinner|burger]
[How long does the delivery take|When does my food come]
---
Bring three pizzas to our flat please
The rider with our sushi is not here yet
opening_hours, hours | when it is open; opening times
When [do you open|do you close|are you open]
[Are you open|Is the shop open] [on Sundays|today|tomorrow|on holidays]
[What are your|Tell me your] opening [hours|times]
How long are you open [today|on Saturday|tonight]
---
Until what time can I come on a weekday
At what hour does your store close
complaint, bad_service | unhappy customers; complaints about service
I want to [complain|make a complaint|speak to the manager]
[Your service|The service|The waiter|Your staff] was [terrible|rude|very slow|unfriendly]
I am [very unhappy|disappointed|not satisfied] with [your service|the staff]
[This is unacceptable|Nobody answers my calls|I have never been treated so badly]
---
The lady at the desk was extremely impolite to us
I am angry about how your people treated me
praise, compliment | thanks and praise; happy customers
[Your service|The food|Everything|The staff] was [great|excellent|wonderful|perfect]
I [just want to say|want to say] [thank you|how happy I am]
[Great job|Well done|You are the best], [keep it up|I am very happy]
I [love|really like] your [shop|food|service|new app]
---
What a lovely evening we had, my compliments to the chef
Your team did fantastic work, I am delighted
"""


def parse(text):
    intents, domain = [], None
    part = None
    for line in text.strip().splitlines():
        if line.startswith("# "):
            domain = line[2:]
        elif " | " in line and "[" not in line:
            labels, about = line.split(" | ")
            part = 0
            intents.append({"domain": domain, "labels": labels.split(", "), "about": about.split("; "), "says": ([], [])})
        elif line == "---":
            part = 1
        else:
            intents[-1]["says"][part].append(line)
    return intents


INTENTS = parse(TEXT)
