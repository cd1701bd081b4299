// Calls out of a block that is not written as Python writes it: unescaped quotes, broken calls, a missing end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/answer_parser.h"

namespace lfm::text {

struct BlockCalls {
  std::vector<ToolCall> calls;
  bool complete = false;  // everything was read, so that no call at all is right too ("[]")
  size_t end = 0;         // the block ends here; what follows is text
};

// Reads `block` from byte `from` on, where an element of its list begins. Each call is read as Python would first. If
// that fails, a string ends at the earliest quote (before one of , ) ] } : or the end) that lets the call and all
// behind it be read. If there is none, the calls that can be read alone are taken. `cut`: no end marker followed, so
// the last call may be half and a whole list may have text behind it. Linear time.
// `declared`: names that count although they do not begin with a letter.
BlockCalls ReadBlock(std::string_view block, size_t from, bool bracketed, bool cut, const std::vector<std::string>& declared);

// The same, but all of it or nothing.
bool ReadWholeBlock(std::string_view block, size_t from, bool bracketed, bool cut, const std::vector<std::string>& declared,
                    std::vector<ToolCall>& calls);

}  // namespace lfm::text
