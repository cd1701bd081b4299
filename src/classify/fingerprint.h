// Which probabilities a calibration belongs to.
#pragma once

#include <string>

#include "base/result.h"
#include "classify/calibration.h"
#include "classify/classifier.h"
#include "formats/checkpoint.h"

namespace lfm::classify {

// Of the model's file alone.
std::string ModelFingerprint(const formats::Checkpoint& checkpoint);
// Of labels, method and prompt. `prompt`: of an empty text.
std::string PromptFingerprint(const LabelSet& labels, const ClassifierOptions& options, const std::string& prompt);

// Of the model's file (by its sizes and samples of its content; a packed file counts as what it was packed from) and of
// labels, prompt and method.
Result<Fingerprint> FingerprintOf(const formats::Checkpoint& checkpoint, const Classifier& classifier);

}  // namespace lfm::classify
