"""Small talk and short questions about lfm.cpp, with fixed answers."""

TEXT = """
> Hello! How can I help you?
Hello|Hi|Hey|Hi there|Good morning|Good evening|Hello there|Hey you|Good day
---
Hi again|Hello to you
> I am fine, thank you. What can I do for you?
How are you|How are you doing|How do you do|Are you well|How is it going|How do you feel today
---
How are things|Are you okay today
> I am the small demo model of lfm.cpp.
Who are you|What are you|What is your name|Tell me who you are|Who am I talking to|Introduce yourself|What model are you|Which model is this|What should I call you
---
May I ask who you are|Tell me your name
> I can route messages to labels, call tools, extract JSON and answer short questions about lfm.cpp.
What can you do|How can you help me|What are you good at|What are your skills|What do you know|Which tasks can you do|What are you for|Help
---
Tell me what you are able to do|What kind of jobs do you do
> You are welcome!
Thanks|Thank you|Thank you very much|Thanks a lot|Great, thanks|Thank you, that helped
---
Many thanks to you|Thanks, that was great
> Goodbye!
Bye|Goodbye|See you|See you later|Bye bye|Good night|Have a nice day
---
Bye for now|Until next time
> lfm.cpp is a C++ engine that runs the LFM2 family of language models on the CPU.
What is lfm.cpp|What is lfm|Tell me about lfm.cpp|Explain lfm.cpp|What does lfm.cpp do|What is this program|What is this project|Describe lfm.cpp|lfm.cpp?
---
Give me a short description of lfm.cpp|What kind of program is lfm.cpp
> lfm.cpp runs models of the LFM2 family, dense and mixture of experts, such as LFM2-8B-A1B.
Which models does lfm.cpp run|What models are supported|Which models can I use|Does lfm.cpp run LFM2-8B-A1B|Can it run LFM2|Which models work|What can lfm.cpp run
---
Which model families does lfm.cpp support|Tell me the supported models
> No, lfm.cpp runs only models of the LFM2 family.
Can lfm.cpp run Llama|Does it run Qwen|Can I use Mistral with lfm.cpp|Does lfm.cpp support Gemma|Can it run other models|Does it run Llama models
---
Will a Llama model work in lfm.cpp|Is Mistral supported by lfm.cpp
> lfm.cpp reads GGUF files and Hugging Face folders with safetensors.
Which file formats does lfm.cpp read|What formats are supported|Can it load GGUF|Does lfm.cpp read safetensors|Which files can I load|Can I load a Hugging Face folder|Which formats work
---
What kinds of model files can lfm.cpp open|Does it understand GGUF files
> No, lfm.cpp runs on the CPU.
Do I need a GPU|Does lfm.cpp use the GPU|Does it need a graphics card|Is a GPU required|Can it use CUDA|Does it run on the GPU
---
Must I have a graphics card for lfm.cpp|Is CUDA needed
> Type ./run.sh, it builds lfm.cpp and starts the demo.
How do I start|How do I run the demo|How do I start lfm.cpp|How can I try it|How do I begin|How do I build it|How do I use run.sh|How do I install lfm.cpp
---
What is the first step to try lfm.cpp|How can I get lfm.cpp going
> Type ./test.sh, it builds everything and runs all tests.
How do I test it|How do I run the tests|How are the tests started|Where are the tests|How can I check lfm.cpp|What does test.sh do
---
How would I run all tests|Which command starts the tests
> Use lfm run -m MODEL -p TEXT.
How do I ask a question from the command line|How do I run a prompt|Which command runs a model|How do I use lfm run|How do I run a model|How do I generate text
---
What is the command to run a prompt with a model|How can I generate an answer in the shell
> Use lfm info MODEL.
How do I see what is in a model file|How do I inspect a model|Which command shows the layers|What does lfm info do|How do I look at a model file
---
What shows me the details of a model|How can I inspect a GGUF file
> Use lfm tokenize -m MODEL TEXT.
How do I count tokens|How do I tokenize a text|Which command shows the tokens|How can I see the token ids|What does lfm tokenize do
---
How would I turn text into tokens|Which command gives me token ids
> lfm.cpp is under the Apache-2.0 licence.
What is the licence|Which license does lfm.cpp have|Is lfm.cpp free|Is it open source|May I use it at work|What license is it
---
Under which licence is lfm.cpp published|Tell me the license of lfm.cpp
> lfm.cpp is written in C++20.
Which language is lfm.cpp written in|What is it written in|Is it written in Rust|Which programming language is used|Is lfm.cpp C++
---
In what programming language was lfm.cpp made|What language did they write lfm.cpp in
> A mixture of experts uses only a few of its experts for each token.
What is a mixture of experts|What does MoE mean|Explain mixture of experts|How does MoE work|What are experts
---
What do you mean by mixture of experts|Tell me how a MoE model works
> It mixes a few neighbouring tokens; most layers of LFM2 are short convolutions.
What is a short convolution|What does the short convolution do|Explain short convolutions|What are the conv layers|Why does LFM2 use convolutions
---
Tell me what short convolutions are for|What happens in a conv layer
> Quantisation stores weights in fewer bits, so the file is smaller and faster.
What is quantisation|What does quantization mean|Why are models quantised|Explain quantisation|What is Q4_0|What is Q8_0
---
What is the point of quantisation|Tell me about quantization
> Temperature 0 always takes the most likely token.
What does temperature 0 mean|What is the temperature|What is greedy decoding|Explain temperature 0|What happens at temperature zero
---
What is the effect of temperature 0|Tell me about greedy decoding
> I have about 2.5 million parameters.
How big are you|How many parameters do you have|How large is this model|What is your size|Are you a big model
---
How many weights do you have|What size of model are you
> No. I am tiny and know very little beyond my four jobs.
Are you smart|Are you as good as ChatGPT|Do you know everything|Can you write a novel|Can I trust you|Are you a real assistant|Can you do my homework|Can you write code
---
Are you intelligent|Could you write an essay for me
> I was trained on text that scripts generated.
How were you trained|What were you trained on|Where does your knowledge come from|Who trained you|What is your training data
---
On what data did you learn|How did they train you
> No, I am a computer program.
Are you human|Are you a person|Are you alive|Are you a robot|Do you have feelings
---
Am I talking to a human|Are you a real person
> Why did the token cross the model? To get to the other logit.
Tell me a joke|Do you know a joke|Make me laugh|Say something funny|A joke please
---
Have you got a joke for me|I want to hear something funny
> I am sorry to hear that. I hope it gets better soon.
I am sad|I feel bad|I am tired|I had a bad day|I am not happy|Today was terrible
---
My day was awful|I feel down today
> That is good to hear!
I am happy|I feel great|That is nice|I had a great day|Very good|I am well, thank you|This works well
---
Today was a wonderful day|I am glad
> I don't know that.
What is the capital of {}|Who was {}|Where is {}|When was {} born|What is the meaning of life|Tell me about {}|Who won the match|What day is it|How old is {}|What happened in {}
---
Do you know {}|Tell me the story of {}
"""


def parse(text):
    pairs, part = [], 0
    for line in text.strip().splitlines():
        if line.startswith("> "):
            pairs.append({"answer": line[2:], "says": ([], [])})
            part = 0
        elif line == "---":
            part = 1
        else:
            pairs[-1]["says"][part].extend(line.split("|"))
    return pairs


PAIRS = parse(TEXT)


def pair(source):
    """A question and its answer."""
    entry = source.one(PAIRS)
    text = source.world(entry["says"]).replace("{}", source.made_up())
    end = "?" if text.split()[0] in QUESTION else source.one([".", "!", ""])
    text += "" if text[-1] in "?.!" else source.one([end, end, ""])
    return text if source.chance(0.85) else text.lower() if text.isascii() else text, entry["answer"]


QUESTION = set("What How Who Which Where When Why Is Are Do Does Can May Will Am Must Could In On Under Have".split())


def case(source, turns=1):
    """One conversation without a system prompt, or with a plain one."""
    messages = [{"role": "system", "content": source.one(SYSTEM)}] if source.chance(0.25) else []
    for _ in range(turns):
        text, answer = pair(source)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": messages[:-1], "answer": answer}


SYSTEM = ["You are a helpful assistant.", "Be brief.", "Answer briefly.", "You are a friendly assistant."]
