"""Uses the installed liblfm from Python's ctypes: load, tokenise, render, prefill, decode, sample, save, restore."""
import ctypes as c
import json
import sys

lib = c.CDLL(sys.argv[1])
for name in ("lfm_version",):
    getattr(lib, name).restype = c.c_char_p
lib.lfm_session_logits.restype = c.POINTER(c.c_float)
lib.lfm_session_n_tokens.restype = c.c_int64
lib.lfm_model_context_length.restype = c.c_int64


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 1020)]


error = Error()


def call(name, *args):
    status = getattr(lib, name)(*args, c.byref(error))
    assert status == error.status
    if status:
        raise RuntimeError(f"{name}: {error.message.decode()}")


def text_of(name, *args):
    data, length = c.c_void_p(), c.c_size_t()
    call(name, *args, c.byref(data), c.byref(length))
    value = c.string_at(data, length.value)
    lib.lfm_free(data)
    return value


model, session, copy, sampler = c.c_void_p(), c.c_void_p(), c.c_void_p(), c.c_void_p()
try:
    call("lfm_model_load", b"/nowhere/model.gguf", None, c.byref(model))
    raise AssertionError("a missing file was loaded")
except RuntimeError as missing:
    assert "/nowhere/model.gguf" in str(missing), missing
assert not model.value

call("lfm_model_load", sys.argv[2].encode(), None, c.byref(model))
info = json.loads(text_of("lfm_model_info", model))
vocab = lib.lfm_model_vocab_size(model)
assert info["vocab_size"] == vocab and info["context_length"] == lib.lfm_model_context_length(model)

ids, n = c.POINTER(c.c_int32)(), c.c_size_t()
text = "Hello, wörld!".encode()
call("lfm_tokenize", model, text, c.c_size_t(len(text)), 1, 1, c.byref(ids), c.byref(n))
prompt = (c.c_int32 * n.value)(*ids[: n.value])
lib.lfm_free(ids)
assert text_of("lfm_detokenize", model, c.byref(prompt, 4), c.c_size_t(len(prompt) - 1)) == text

request = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
assert b"hi" in text_of("lfm_render", model, request, c.c_size_t(len(request)))

call("lfm_session_create", model, None, c.byref(session))
assert not lib.lfm_session_logits(session)
call("lfm_session_prefill", session, prompt, c.c_size_t(len(prompt)))
before = lib.lfm_session_logits(session)[:vocab]
saved = text_of("lfm_session_save", session)
call("lfm_session_copy", session, c.byref(copy))

call("lfm_sampler_create", model, None, c.byref(sampler))
lib.lfm_sampler_accept_prompt(sampler, prompt, c.c_size_t(len(prompt)))
token = c.c_int32()
call("lfm_sampler_sample", sampler, session, c.byref(token))
call("lfm_session_decode", session, token)
after = lib.lfm_session_logits(session)[:vocab]
assert lib.lfm_session_n_tokens(session) == len(prompt) + 1

call("lfm_session_decode", copy, token)
assert lib.lfm_session_logits(copy)[:vocab] == after
call("lfm_session_truncate", copy, c.c_int64(len(prompt)))
call("lfm_session_decode", copy, token)
assert lib.lfm_session_logits(copy)[:vocab] == after
call("lfm_session_restore", session, saved, c.c_size_t(len(saved)))
assert lib.lfm_session_logits(session)[:vocab] == before
call("lfm_session_decode", session, token)
assert lib.lfm_session_logits(session)[:vocab] == after

for bad in (saved[:10], saved[:-1], b"x" * len(saved)):
    try:
        call("lfm_session_restore", session, bad, c.c_size_t(len(bad)))
        raise AssertionError("a damaged state was restored")
    except RuntimeError:
        pass
try:
    call("lfm_session_decode", session, c.c_int32(vocab))
    raise AssertionError("a token outside of the vocabulary was read")
except RuntimeError as outside:
    assert "vocabulary" in str(outside), outside

lib.lfm_classifier_n_classes.restype = c.c_size_t
lib.lfm_classifier_class.restype = c.c_char_p
classifier, named = c.c_void_p(), b'["refund", {"name": "hotel", "description": "rooms"}]'
call("lfm_classifier_create", model, named, c.c_size_t(len(named)), None, c.byref(classifier))
names = [lib.lfm_classifier_class(classifier, c.c_size_t(i)) for i in range(lib.lfm_classifier_n_classes(classifier))]
assert names == [b"hotel", b"refund"], names
rows = [b"money back", b"", b"word " * 100000]
classes, proba, mass = (c.c_int32 * 3)(), (c.c_double * 6)(), (c.c_double * 3)()
call("lfm_classify", classifier, (c.c_char_p * 3)(*rows), (c.c_size_t * 3)(*map(len, rows)), c.c_size_t(3), classes, proba, mass)
assert classes[2] == -1 and proba[4] != proba[4]
for i in range(2):
    assert abs(proba[2 * i] + proba[2 * i + 1] - 1) < 1e-9 and 0 < mass[i] <= 1
    assert proba[2 * i + classes[i]] == max(proba[2 * i: 2 * i + 2])
try:
    call("lfm_classifier_create", model, b"a,a", c.c_size_t(3), None, c.byref(c.c_void_p()))
    raise AssertionError("a label was taken twice")
except RuntimeError as twice:
    assert "is the same as label 1" in str(twice), twice
lib.lfm_classifier_free(classifier)

lib.lfm_sampler_free(sampler)
lib.lfm_session_free(copy)
lib.lfm_model_free(model)  # sessions keep the model alive
lib.lfm_session_free(session)
print("ctypes: ok, lfm", lib.lfm_version().decode())
