//! The program that checks an answer that is code.

/// The code that a program ends with when every check has passed. Not 0: a program that leaves
/// before the checks, `sys.exit()` say, has not passed them.
pub const PASSED: i32 = 83;

/// What ends a completion that runs on after its function (HumanEval's stop words; Chen et al.,
/// arXiv 2107.03374, §3.2).
const STOP: [&str; 5] = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"];

/// The program: the function, its tests, the call that checks it.
pub(crate) fn program(prompt: &str, answer: &str, tests: &str, entry_point: &str) -> String {
    let function = function(prompt, answer, entry_point);
    format!("{function}\n{tests}\ncheck({entry_point})\nraise SystemExit({PASSED})\n")
}

fn function(prompt: &str, answer: &str, entry_point: &str) -> String {
    let (code, fenced) = match fenced(answer, entry_point) {
        Some(block) => (block, true),
        None => (answer, false),
    };
    if defines(code, entry_point) {
        // A function from a chat: what the prompt imports and defines before stays needed.
        return format!("{}{code}", before(prompt, entry_point));
    }
    if fenced {
        return format!("{prompt}{}", indented(code));
    }
    format!("{prompt}{}", completion(code))
}

/// The code block that defines the function, else the last one.
fn fenced<'a>(answer: &'a str, entry_point: &str) -> Option<&'a str> {
    let mut blocks = Vec::new();
    let mut rest = answer;
    while let Some((_, opened)) = rest.split_once("```") {
        let Some((_language, body)) = opened.split_once('\n') else {
            break;
        };
        // A block that was cut off runs to the end.
        let (block, after) = body.split_once("```").unwrap_or((body, ""));
        blocks.push(block);
        rest = after;
    }
    let defining = blocks.iter().rfind(|block| defines(block, entry_point));
    defining.or(blocks.last()).copied()
}

fn defines(code: &str, entry_point: &str) -> bool {
    code.lines().any(|line| is_definition(line, entry_point))
}

fn is_definition(line: &str, entry_point: &str) -> bool {
    let name = line
        .strip_prefix("async def ")
        .or(line.strip_prefix("def "));
    name.and_then(|name| name.trim_start().strip_prefix(entry_point))
        .is_some_and(|rest| rest.trim_start().starts_with('('))
}

/// The lines of the prompt before the function.
fn before(prompt: &str, entry_point: &str) -> String {
    let lines = prompt.split_inclusive('\n');
    lines
        .take_while(|line| !is_definition(line, entry_point))
        .collect()
}

/// A body that was written without its function's indentation.
fn indented(code: &str) -> String {
    let first = code
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    if first.starts_with([' ', '\t']) {
        return code.to_owned();
    }
    code.split_inclusive('\n')
        .map(|line| format!("    {line}"))
        .collect()
}

fn completion(text: &str) -> &str {
    let end = STOP.iter().filter_map(|stop| text.find(stop)).min();
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::function;

    const PROMPT: &str =
        "import math\n\n\ndef helper(x):\n    return x\n\n\ndef area(r):\n    \"\"\" Area \"\"\"\n";

    #[test]
    fn completion_is_cut_where_its_function_ends() {
        let answer = "    return math.pi * r * r\n\n\nprint(area(1))\n";
        let wanted = format!("{PROMPT}    return math.pi * r * r\n\n");
        assert_eq!(function(PROMPT, answer, "area"), wanted);
    }

    #[test]
    fn function_from_a_chat_keeps_what_the_prompt_defined_before() {
        let answer =
            "Sure:\n```python\ndef area(r):\n    return helper(r)\n```\nTry it:\n```\narea(1)\n```";
        let wanted = "import math\n\n\ndef helper(x):\n    return x\n\n\ndef area(r):\n    return helper(r)\n";
        assert_eq!(function(PROMPT, answer, "area"), wanted);
    }

    #[test]
    fn body_in_a_fence_is_indented() {
        let answer = "```py\nx = r\nreturn x\n```";
        assert_eq!(
            function(PROMPT, answer, "area"),
            format!("{PROMPT}    x = r\n    return x\n")
        );
        let cut_off = "```py\n    return r";
        assert_eq!(
            function(PROMPT, cut_off, "area"),
            format!("{PROMPT}    return r")
        );
    }

    #[test]
    fn name_that_only_begins_alike_is_another_function() {
        assert!(!super::defines("def area_of(r): ...", "area"));
        assert!(super::defines("def area (r): ...", "area"));
    }
}
