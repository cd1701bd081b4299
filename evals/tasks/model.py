"""Our client as a model provider of Inspect: the names lfm/main, lfm/user and lfm/grader are the endpoints of the settings."""
import functools

import anyio
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    get_model,
    modelapi,
)

import client
from settings import MAX_TOKENS, SETTINGS

STOP = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}


@modelapi(name="lfm")
def lfm():
    return Provider


class Provider(ModelAPI):
    def __init__(self, model_name, base_url=None, api_key=None, config=GenerateConfig(), **_):
        super().__init__(model_name, base_url, api_key, [], config)
        self.endpoint = SETTINGS.endpoints[model_name]
        self.threads = anyio.CapacityLimiter(self.endpoint.connections)

    async def generate(self, input, tools, tool_choice, config):
        body = {"messages": [{"role": message.role, "content": message.text} for message in input], "temperature": config.temperature,
                "max_tokens": config.max_tokens, "seed": config.seed, **(config.extra_body or {})}
        body = {key: value for key, value in body.items() if value is not None}
        answer = await anyio.to_thread.run_sync(functools.partial(self.endpoint.chat, body), limiter=self.threads)
        return output(answer)

    def max_connections(self):
        return self.endpoint.connections

    def should_retry(self, ex):
        return False  # the client has done so


def output(answer):
    """An answer of the server in Inspect's words."""
    usage = answer.get("usage") or {}
    if answer["choices"]:
        choice = answer["choices"][0]
        stop, message = STOP.get(choice.get("finish_reason"), "unknown"), ChatMessageAssistant(content=client.text_of(answer), source="generate")
        tokens = (choice.get("logprobs") or {}).get("content") or []
        logprobs = Logprobs(content=[Logprob(token=t["token"], logprob=t["logprob"], top_logprobs=[
            TopLogprob(token=top["token"], logprob=top["logprob"]) for top in t.get("top_logprobs") or []]) for t in tokens]) if tokens else None
    else:
        stop, message, logprobs = "model_length", ChatMessageAssistant(content="", source="generate"), None
    return ModelOutput(
        model=answer.get("model") or "lfm", choices=[ChatCompletionChoice(message=message, stop_reason=stop, logprobs=logprobs)],
        usage=ModelUsage(input_tokens=usage.get("prompt_tokens") or 0, output_tokens=usage.get("completion_tokens") or 0,
                         total_tokens=usage.get("total_tokens") or 0))


def model(role="main"):
    """The model of a role, with the protocol's sampling: temperature 0 and 16,384 tokens unless the settings say otherwise."""
    extra = SETTINGS.sampling if role == "main" else {}
    config = GenerateConfig(temperature=SETTINGS.temperature if role == "main" else 0.0, max_tokens=MAX_TOKENS, extra_body=extra or None)
    return get_model(f"lfm/{role}", config=config, memoize=False)
