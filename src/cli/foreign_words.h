// Flags and commands of other programs of the field, with what lfm has in their place.
#pragma once

#include <string>
#include <string_view>

namespace lfm::cli {

// What to say of a flag that other programs have ("-ngl", "--ctx-size"); empty: nothing is known.
std::string_view HintForFlag(std::string_view flag);

// The command of lfm that is meant by a word that is none ("chat", "rnu"); empty: none is near.
std::string_view CommandMeantBy(std::string_view word);

}  // namespace lfm::cli
