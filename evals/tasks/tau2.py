"""tau2, telecom: the wheel's engine, agent, user and judge of the end state; only the requests go through our client."""
import functools
import importlib
import json
import random
import types

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ModelOutput
from inspect_ai.scorer import Target, scorer
from inspect_ai.solver import solver

import client
from settings import MAX_TOKENS, SETTINGS, chosen, repeats
from tasks.common import average, score, standing_in
from tasks.model import model

MAX_STEPS = 100


class Malformed(Exception):
    """An answer that the engine cannot take: nothing at all, or arguments of a call that are no JSON object."""

    def __init__(self, role, reason, cut=False):
        super().__init__(f"{role}: {reason}")
        self.role, self.reason, self.cut = role, reason, cut


class Answer(dict):
    """An answer of the server as the engine reads it: members as attributes, absent ones None."""

    def get(self, name, default=None):
        return wrapped(dict.get(self, name, default))

    def __getattr__(self, name):
        return self.get(name)

    def __setattr__(self, name, value):
        self[name] = value

    def to_dict(self):
        return dict(self)


def wrapped(value):
    if isinstance(value, dict):
        return Answer(value)
    return [wrapped(item) for item in value] if isinstance(value, list) else value


def check(answer, role):
    """Raises Malformed where the engine would fail on the model's own fault."""
    cut = client.was_cut(answer)
    if answer.get("context_length_exceeded"):
        raise Malformed(role, "prompt longer than the context", cut)
    message = answer["choices"][0]["message"]
    if not (message.get("content") or "").strip() and not message.get("tool_calls"):
        raise Malformed(role, "empty answer", cut)
    for call in message.get("tool_calls") or []:
        try:
            arguments = json.loads(call["function"]["arguments"])
        except (ValueError, TypeError):
            raise Malformed(role, "call cut off by the token limit" if cut else "arguments of a call are not JSON", cut) from None
        if not isinstance(arguments, dict):
            raise Malformed(role, "arguments of a call are not an object", cut)


def complete(model=None, messages=None, tools=None, tool_choice=None, **arguments):
    """In the place of litellm's completion: `model` is the endpoint's name."""
    arguments.pop("num_retries", None)
    arguments.pop("caching", None)
    cuts = arguments.pop("cuts", None)
    body = {"messages": messages, **arguments}
    if tools:
        body.update(tools=tools, tool_choice=tool_choice)
    answer = SETTINGS.endpoints[model if model in SETTINGS.endpoints else "main"].chat(body)
    check(answer, model)
    if cuts is not None and client.was_cut(answer):
        cuts.append(model)
    return wrapped(answer)


@functools.cache
def engine():
    """The wheel's modules. Every one imports litellm, which would only carry our requests: an empty one with `completion` serves."""
    from loguru import logger

    logger.remove()
    names = ["agent.llm_agent", "user.user_simulator", "orchestrator.orchestrator", "evaluator.evaluator", "domains.telecom.environment"]
    with standing_in(**{"litellm": {"completion": complete, "completion_cost": lambda **_: 0.0, "disable_cache": lambda: None}, "litellm.caching": {},
                        "litellm.caching.caching": {"Cache": None}, "litellm.main": {"ModelResponse": dict, "Usage": dict}}):
        agent, user, orchestrator, evaluator, telecom = (importlib.import_module(f"tau2.{name}") for name in names)
    return types.SimpleNamespace(agent=agent, user=user, orchestrator=orchestrator, evaluator=evaluator, telecom=telecom)


def talk(problem, seed):
    """One conversation: (reward, details). Raises Malformed for answers that are no answers, client.Infrastructure for the rest."""
    library, cuts = engine(), []
    environment = library.telecom.get_environment()
    arguments = {"temperature": 0.0, "max_tokens": MAX_TOKENS, "num_retries": 0, **SETTINGS.sampling}
    agent = library.agent.LLMAgent(tools=environment.get_tools(), domain_policy=environment.get_policy(), llm="main",
                                   llm_args={**arguments, "temperature": SETTINGS.temperature})
    agent.llm_args["cuts"] = cuts  # the agent has copied its arguments, and the list with them
    user = library.user.UserSimulator(tools=environment.get_user_tools(), instructions=str(problem.user_scenario), llm="user",
                                      llm_args={"temperature": 0.0, "max_tokens": 4096, "num_retries": 0})
    run = library.orchestrator.Orchestrator(domain="telecom", agent=agent, user=user, environment=environment, task=problem, max_steps=MAX_STEPS,
                                            max_errors=10, seed=seed).run()
    reward = library.evaluator.evaluate_simulation(domain="telecom", task=problem, simulation=run, evaluation_type=library.evaluator.EvaluationType.ALL,
                                                   solo_mode=False)
    return reward.reward, {"ended": run.termination_reason.value, "steps": len(run.messages), "cut": bool(cuts),
                           "messages": [f"{message.role}: {message.content or ''}" for message in run.messages]}


@functools.cache
def problems():
    return {problem.id: problem for problem in engine().telecom.get_tasks("base")}


def seeds(count):
    """The seeds of the official runner's trials."""
    source = random.Random(300)
    return [source.randint(0, 1000000) for _ in range(count)]


@solver
def conversation():
    async def solve(state, generate):
        threads = _threads()
        seed = seeds(state.epoch)[-1]
        try:
            reward, details = await anyio.to_thread.run_sync(talk, problems()[state.metadata["item"]], seed, limiter=threads)
            state.metadata.update(reward=reward, details=details, reason=None)
            text = "\n\n".join(details.pop("messages"))
        except Malformed as fault:
            if fault.role != "main" and SETTINGS.user_is_strong:
                raise RuntimeError(f"the user model's fault, not the measured model's: {fault.reason}") from None
            reason = fault.reason if fault.role == "main" else f"as the user: {fault.reason}"
            state.metadata.update(reward=0.0, details={"ended": "malformed answer", "cut": fault.cut}, reason=reason)
            text = str(fault)
        state.messages = [*state.messages, ChatMessageAssistant(content=text)]
        state.output = ModelOutput.from_content("lfm", text)
        return state
    return solve


@functools.cache
def _threads():
    return anyio.CapacityLimiter(max(1, SETTINGS.endpoints["main"].connections))


@scorer(metrics=[average()])
def by_end_state():
    async def compute(state, target: Target):
        details = state.metadata["details"]
        result = score(state.metadata["reward"] >= 1 - 1e-6, state, reason=state.metadata["reason"], ended=details["ended"])
        result.metadata["truncated"] = details["cut"]
        return result
    return compute


@task
def tau2():
    samples = [Sample(id=key, input=str(problem.user_scenario), target="", metadata={"item": key})
               for key, problem in chosen(list(problems().items()), lambda pair: pair[0].split("]")[0])]
    return Task(dataset=MemoryDataset(samples), solver=conversation(), scorer=by_end_state(), model=model(), epochs=repeats(3))
