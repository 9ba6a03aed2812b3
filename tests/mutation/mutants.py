# SPDX-License-Identifier: MIT
"""Every mutant of a C source file: tokens, operators, and names that survive edits.

The operators, each applied at every place where it applies:

  rel     < <= > >= each to the one beside it and to its opposite; == to != and back
  logic   && to || and back
  negate  the condition of if, while, for and ?: negated; a ! dropped
  arith   + to - and back, * to / and back, % to *
  bit     & to | and back, ^ to &, << to >> and back, ~ dropped
  const   a number n to n + 1, n - 1 and 0; true to false and back
  assign  += to -= and back, |= to &= and back, <<= to >>= and back, *= to /= and back; each to =
  step    ++ to -- and back
  drop    an expression statement, break, continue or return without a value left out
  return  a truth value negated; a status to DEFRAG_OK, DEFRAG_OK to DEFRAG_CORRUPT; a number to 0 and to
          itself + 1; a pointer to NULL

Macro bodies are code; comments, texts, other directives and static assertions are not.
"""
import collections
import re

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])
""", re.X | re.S)

DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.M | re.S)
DEFINE = re.compile(r"[ \t]*#[ \t]*define[ \t]+(\w+)(\([^)]*\))?")

RELATIONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
             "==": ("!=",), "!=": ("==",)}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*"}
BITWISE = {"&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<"}
ASSIGNMENTS = {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "<<=": ">>=", ">>=": "<<=", "*=": "/="}

TYPES = re.compile(r"(?:void|bool|char|int|unsigned|signed|long|short|size_t|u?int\d+_t|uintptr_t|const|"
                   r"static|struct|extern|enum|DF_MAY_ALIAS|"
                   r"df_(?:word|half|map|granules|word_alias|half_alias|run)|"
                   r"defrag_(?:pool|config|handle|status|block|statistics|request|visitor|region))$")
KEYWORDS = {"if", "for", "while", "do", "else", "switch", "case", "default", "return", "break", "continue",
            "goto", "typedef", "sizeof"}

Token = collections.namedtuple("Token", "kind text start end scope")


class Mutant:
    """One change of one file: text[start:end] becomes `new`."""

    def __init__(self, source, start, end, new, operator, change, scope):
        self.file, self.start, self.end, self.new, self.operator = source.name, start, end, new, operator
        self.line = source.text.count("\n", 0, start) + 1
        begin = source.text.rfind("\n", 0, start) + 1
        stop = source.text.find("\n", start)
        self.column = start - begin + 1
        self.before = source.text[begin:stop].strip()
        last = source.text.find("\n", end - 1)
        self.after = (source.text[begin:start] + new + source.text[end:last]).strip()
        self.change, self.scope, self.number = change, scope, 1

    @property
    def place(self):
        return f"{self.file}:{self.line}:{self.column}:{self.operator} {self.change}"

    def key(self):
        return (self.file, self.scope, self.operator, self.change, self.before)

    @property
    def name(self):
        """The same after edits elsewhere: no line numbers."""
        number = f" #{self.number}" if self.number > 1 else ""
        return f"{self.file} {self.scope} | {self.operator} {self.change}{number} | {self.before}"


class Source:
    def __init__(self, name, text):
        self.name, self.text = name, text
        self.tokens = []
        self.returns = {}  # function -> kind of value
        self._tokenise()
        self._find_scopes()
        self.mutants = []

    def _tokenise(self):
        text = list(self.text)

        def blank(start, end):
            for i in range(start, end):
                if text[i] != "\n":
                    text[i] = " "

        comment_or_text = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\""
        for match in re.finditer(comment_or_text, self.text, re.S):
            if not match.group().startswith('"'):
                blank(*match.span())
        bare = "".join(text)
        self.macros = []
        for match in DIRECTIVE.finditer(bare):
            define = DEFINE.match(match.group())
            # What says that a header was read, or stands for another name, has no code.
            if define and match.group()[define.end():].strip():
                blank(match.start(), match.start() + define.end())
                self.macros.append((match.start(), match.end(), define.group(1)))
                for i in range(match.start(), match.end()):
                    if text[i] == "\\":
                        text[i] = " "
            else:
                blank(*match.span())
        for match in re.finditer(r"DF_STATIC_ASSERT\((?:[^;])*;", "".join(text)):
            blank(*match.span())
        for match in TOKEN.finditer("".join(text)):
            self.tokens.append(Token(match.lastgroup, match.group(), match.start(), match.end(), None))

    def _find_scopes(self):
        """Gives each token the function or the macro it is in."""
        tokens, depth, scope, head, out, last_end = self.tokens, 0, "", 0, [], 0
        for i, token in enumerate(tokens):
            macro = next((m for m in self.macros if m[0] <= token.start < m[1]), None)
            if macro:
                out.append(token._replace(scope=macro[2]))
                continue
            if depth == 0 and token.text == "{" and out and out[-1].text == ")":
                scope = self._function_at(out, i, head)
            if token.text == "{":
                depth += 1
            out.append(token._replace(scope=scope if depth else "-"))
            if token.text == "}":
                depth -= 1
            if depth == 0 and token.text in ("}", ";"):
                scope, head = "", i + 1
        self.tokens = out

    def _function_at(self, out, i, head):
        depth = 0
        for j in range(i - 1, head - 1, -1):
            depth += (out[j].text == ")") - (out[j].text == "(")
            if depth == 0:
                break
        name = out[j - 1].text
        kind = [t.text for t in out[head:j - 1] if not self._in_macro(t)]
        self.returns[name + "()"] = self._kind_of(kind)
        return name + "()"

    def _in_macro(self, token):
        return any(m[0] <= token.start < m[1] for m in self.macros)

    @staticmethod
    def _kind_of(words):
        if "*" in words:
            return "pointer"
        if "bool" in words:
            return "truth"
        if "defrag_status" in words:
            return "status"
        if "struct" in words or "void" in words or "defrag_handle" in words or "defrag_block" in words:
            return None
        return "number"

    # --- Operators -------------------------------------------------------------------

    def add(self, start, end, new, operator, change):
        scope = next((t.scope for t in self.tokens if t.start <= start < t.end), "-")
        mutant = Mutant(self, start, end, new, operator, change, scope or "-")
        mutant.number = 1 + sum(1 for m in self.mutants if m.key() == mutant.key())
        self.mutants.append(mutant)

    def swap(self, token, new, operator):
        self.add(token.start, token.end, new, operator, f"{token.text} to {new or 'nothing'}")

    def is_binary(self, i):
        before = self.tokens[i - 1] if i else None
        if before is None or before.scope != self.tokens[i].scope:
            return False
        if before.kind == "name":
            is_type = self.tokens[i].text == "*" and TYPES.match(before.text)
            return before.text not in KEYWORDS and not is_type
        return before.kind == "number" or before.text in (")", "]")

    def close_of(self, i):
        """The index of the parenthesis that closes the one at `i`."""
        depth = 0
        for j in range(i, len(self.tokens)):
            depth += (self.tokens[j].text in "([{") - (self.tokens[j].text in ")]}")
            if depth == 0:
                return j
        raise ValueError(f"{self.name}: a parenthesis does not close")

    def all_mutants(self):
        for i, token in enumerate(self.tokens):
            self._mutate_token(i, token)
            self._mutate_condition(i, token)
        self._mutate_statements()
        self.mutants.sort(key=lambda m: (m.start, m.operator, m.change))
        return self.mutants

    def _mutate_token(self, i, token):
        text = token.text
        if token.kind == "number":
            self._mutate_number(token)
        elif text in ("true", "false"):
            self.swap(token, "false" if text == "true" else "true", "const")
        elif text in RELATIONS:
            for new in RELATIONS[text]:
                self.swap(token, new, "rel")
        elif text in ("&&", "||"):
            self.swap(token, "||" if text == "&&" else "&&", "logic")
        elif text in ("!", "~"):
            self.swap(token, "", "negate" if text == "!" else "bit")
        elif text in ("++", "--"):
            self.swap(token, "--" if text == "++" else "++", "step")
        elif text in ASSIGNMENTS:
            self.swap(token, ASSIGNMENTS[text], "assign")
            self.swap(token, "=", "assign")
        elif text in ARITHMETIC and self.is_binary(i):
            self.swap(token, ARITHMETIC[text], "arith")
        elif text in BITWISE and self.is_binary(i):
            self.swap(token, BITWISE[text], "bit")

    def _mutate_number(self, token):
        digits = token.text.rstrip("uUlL")
        suffix = token.text[len(digits):]
        value = int(digits, 16) if digits[:2].lower() == "0x" else int(digits)
        form = hex if digits[:2].lower() == "0x" else str
        for new in dict.fromkeys((value + 1, value - 1, 0)):
            if new >= 0 and new != value:
                self.swap(token, form(new) + suffix, "const")

    def _negate(self, start, end):
        """Negates the condition in tokens [start, end)."""
        if start < end:
            first, last = self.tokens[start].start, self.tokens[end - 1].end
            self.add(first, last, f"!({self.text[first:last]})", "negate", "the condition")

    def _mutate_condition(self, i, token):
        if token.text in ("if", "while"):
            self._negate(i + 2, self.close_of(i + 1))
        elif token.text == "for":
            end = self.close_of(i + 1)
            parts = [j for j in range(i + 2, end) if self.tokens[j].text == ";"]
            self._negate(parts[0] + 1, parts[1])
        elif token.text == "?":
            self._negate(self._condition_before(i), i)

    def _condition_before(self, i):
        depth = 0
        for j in range(i - 1, -1, -1):
            text = self.tokens[j].text
            depth += (text in (")", "]")) - (text in ("(", "["))
            if depth < 0 or self.tokens[j].scope != self.tokens[i].scope or (
                    depth == 0 and (text in (";", "{", "}", ",", "=", "return", "?", ":")
                                    or text in ASSIGNMENTS)):
                return j + 1
        return 0

    # --- Statements ------------------------------------------------------------------

    def _mutate_statements(self):
        tokens, i = self.tokens, 0
        while i < len(tokens):
            in_function = (tokens[i].scope or "").endswith("()")
            if not in_function or tokens[i].text == "{" or not self._begins_statement(i):
                i += 1
                continue
            end = self._end_of_statement(i)
            if end is not None:
                self._mutate_statement(i, end)
            i += 1

    def _begins_statement(self, i):
        before = self.tokens[i - 1]
        if before.text in (";", "{", "}", "else", "do"):
            return not self._in_parentheses(i)
        if before.text == ")":
            depth = 0
            for j in range(i - 1, -1, -1):
                depth += (self.tokens[j].text == ")") - (self.tokens[j].text == "(")
                if depth == 0:
                    header = self.tokens[j - 1].text in ("if", "for", "while", "switch")
                    return header and self.tokens[i].text != ";"
        if before.text == ":":
            for j in range(i - 2, -1, -1):
                if self.tokens[j].text in ("case", "default"):
                    return True
                if self.tokens[j].text in (";", "{", "}", "?"):
                    return False
        return False

    def _in_parentheses(self, i):
        depth = 0
        for j in range(i - 1, -1, -1):
            text = self.tokens[j].text
            if text == "{" and self.tokens[j].scope != self.tokens[j - 1].scope:
                return False
            depth += (text == "(") - (text == ")")
            if depth > 0:
                return True
        return False

    def _end_of_statement(self, i):
        """The index of its semicolon; None if it is none that ends with one."""
        depth = 0
        for j in range(i, len(self.tokens)):
            text = self.tokens[j].text
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            if depth < 0:
                return None
            if text == ";" and depth == 0:
                return j if j > i else None
        return None

    def _mutate_statement(self, i, end):
        first = self.tokens[i]
        span = first.start, self.tokens[end].end
        if first.text == "return" and end > i + 1:
            self._mutate_return(i, end)
        elif first.text in ("break", "continue", "return"):
            self.add(*span, ";", "drop", first.text)
        elif first.text in KEYWORDS or self._is_declaration(i):
            return
        else:
            self.add(*span, ";", "drop", "the statement")

    def _is_declaration(self, i):
        return bool(TYPES.match(self.tokens[i].text)) and self.tokens[i].text != "("

    def _mutate_return(self, i, end):
        start, stop = self.tokens[i + 1].start, self.tokens[end - 1].end
        value = self.text[start:stop]
        kind = self.returns.get(self.tokens[i].scope)
        news = {"truth": [(f"!({value})", "the truth value")],
                "status": [("DEFRAG_CORRUPT" if value == "DEFRAG_OK" else "DEFRAG_OK", "the status")],
                "number": [("0", "0"), (f"({value}) + 1", "one more")],
                "pointer": [("NULL", "NULL")]}.get(kind, [])
        for new, change in news:
            if new != value:
                self.add(start, stop, new, "return", change)


def mutants_of(name, text):
    return Source(name, text).all_mutants()
