// Published outputs of the real LFM2-8B-A1B, which `lfm verify` compares with. Facts, from:
// logits and greedy texts: transformers' tests of lfm2_moe (bfloat16, revision 033ead0d); the chat answer:
// SGLang's pull request 17997; token ids: a public Apache-2.0 C++ test of an LFM2 runtime, made with Hugging
// Face's tokenizer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace lfm::cli::published {

constexpr std::string_view kModel = "LFM2-8B-A1B";
constexpr int32_t kInputIds[] = {1, 22998, 768, 1947, 797, 22017, 811, 6332, 928, 5743, 797, 779, 48123, 772, 33551, 60996, 523};
// Mean of all logits at each position, and how far bfloat16 may be from it.
constexpr double kMeanLogits[] = {-1.3855, -0.5123, -1.3143, -1.2144, -1.0791, -1.2117, -1.4704, -0.7648, -0.6175,
                                  -1.2402, -1.1459, -1.0083, -1.0247, -0.883,  -1.5643, -1.7266, -1.6254};
constexpr double kMeanTolerance = 0.01;
// The first logits at position 0, as bfloat16 rounds them.
constexpr double kFirstLogits[] = {-1.2656, 2.4844, 5.5, -1.3359, -1.3203, -1.3438, 1.9375, 5.8438, -0.6523, -1.2891};

// Greedy continuations of plain text, bos first. Those that were computed in one padded batch can differ late
// in the text; `padded` says so.
struct Greedy {
  std::string_view prompt, answer;
  bool padded;
  bool raw;  // false: `prompt` is a rendered chat
};
constexpr Greedy kGreedy[] = {
    {"In 1st century A.D., the Roman Empire", " controlled much of Europe, North Africa, and parts of the Middle East.", false,
     true},
    {"Who are you?", "?  \nI am an artificial intelligence assistant designed to provide information, answer questions", true,
     true},
    {"Complete the text: Lorem ipsum dolor ", "ipsum dolor ipsum dolor ipsum dolor ipsum dolor", true, true},
    {"The Meji Restoration in Japan ended", " (1868) marked the:  \nA) Establishment of a constitutional", true, true},
    {"<|startoftext|><|im_start|>user\nThe capital of the United Kingdom "
     "is<|im_end|>\n<|im_start|>assistant\n",
     "The capital of the United Kingdom is **London**. While the UK does not have a single \"capital city\" "
     "in the "
     "traditional sense—since it is",
     false, false},
};

struct Encoding {
  std::string_view text;
  std::initializer_list<int32_t> ids;
};
inline const Encoding kEncodings[] = {
    {"Hello, world!", {36309, 521, 2031, 510}},
    {"Café déjà vu.", {544, 2305, 860, 18913, 24166, 523}},
    {"¿Dónde está París?", {17995, 545, 58838, 7453, 35820, 540}},
    {"中文标点，测试123。", {2377, 5467, 10257, 6338, 1198, 57832, 10293, 1147}},
    {"日本語・テスト123", {62506, 2928, 4374, 7133, 10293}},
    {"한국어 테스트 123", {61082, 5193, 54674, 33701, 730, 10293}},
    {"Привет, мир! 123", {7245, 13328, 521, 49182, 510, 730, 10293}},
    {"مرحبا، العالم ١٢٣", {18381, 2763, 2071, 978, 3780, 36273, 730, 659, 604, 659, 605, 659, 606}},
    {"नमस्ते दुनिया १२३", {6355, 611, 6355,  616, 6355,  626, 34801, 607, 50008, 17903, 609,   14860, 733,
                        6355, 611, 61840, 617, 30170, 730, 14860, 610, 14860, 611,   14860, 612}},
    {"Grüße, Welt! 123", {10706, 1142, 7017, 521, 9808, 510, 730, 10293}},
    {"Bonjour, ça va ? 123", {34933, 13143, 521, 18757, 4223, 5219, 730, 10293}},
    {"a  b", {574, 730, 794}},
    {"a  5", {574, 730, 730, 530}},
    {"a \t b", {574, 46482, 794}},
    {"trailing  ", {19310, 8206, 767}},
    {"def f():\n    return  x", {3663, 792, 32711, 861, 1789, 730, 3053}},
    {"| a |  b |", {601, 768, 2171, 730, 794, 2171}},
    {"I'M", {550, 51251}},
    {"WE'RE", {24435, 516, 3277}},
    {"HE'LL", {6347, 516, 5092}},
    {"DON'T", {545, 2332, 32640}},
    {"SHE'S", {560, 6347, 24406}},
    {"<|startoftext|><|im_start|>user\nWhat is the capital of France? Answer in one word.<|im_end|>\n"
     "<|im_start|>assistant\n",
     {1, 6, 6423, 708, 3493, 856, 779, 5706, 803, 4481, 540, 42275, 797, 1235, 2359, 523, 7, 708, 6, 64015, 708}},
    {"<|startoftext|><|im_start|>Hello<|im_end|><|tool_call_start|>", {1, 6, 36309, 7, 10}},
};
inline const Encoding kDecodings[] = {
    {":\nA) Paris", {1334, 542, 518, 5242}},
};

}  // namespace lfm::cli::published
