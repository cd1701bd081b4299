// The loop by hand: prefill, sample, decode; then the same again from a saved state, which gives the same text.
#include <iostream>
#include <lfm/lfm.hpp>

namespace {

std::string Continue(const lfm::api::Model& model, lfm::api::Session& session, const std::vector<int32_t>& prompt) {
  lfm_sampling sampling = model.Sampling();
  sampling.seed = 42;
  lfm::api::Sampler sampler(model, sampling);
  sampler.AcceptPrompt(prompt);
  std::vector<int32_t> ids;
  while (ids.size() < 32 && (ids.empty() || !model.IsEndOfGeneration(ids.back()))) {
    ids.push_back(sampler.Sample(session));
    session.Decode(ids.back());
  }
  return model.Detokenize(ids);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return std::cerr << "usage: steps MODEL TEXT\n", 2;
  const lfm::api::Model model(argv[1]);
  lfm::api::Session session(model);
  const std::vector<int32_t> prompt = model.Tokenize(argv[2]);
  session.Prefill(prompt);
  const std::string saved = session.Save();
  const std::string first = Continue(model, session, prompt);
  session.Restore(saved);
  const std::string second = Continue(model, session, prompt);
  std::cout << first << "\n" << (first == second ? "the same again" : "DIFFERENT") << "\n";
  return first == second ? 0 : 1;
} catch (const lfm::api::Error& error) {
  return std::cerr << error.what() << "\n", 1;
}
