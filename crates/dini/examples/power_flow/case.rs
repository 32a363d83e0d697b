//! Power-flow cases in MATPOWER's text format: what a power flow reads of `baseMVA`, `bus`, `gen` and `branch`.
//!
//! A case that parses is consistent: every number is finite, every name of a bus is known, and exactly one bus is the
//! slack. Whatever is wrong is reported with the file and the line. Other fields (`gencost`, `bus_name`) are skipped.

use std::{collections::HashMap, error::Error, fmt, fs, path::Path};

/// A network as its file describes it, in the units of the file.
#[derive(Clone, Debug)]
pub struct Case {
    /// The unit of power, in MVA, of everything that is "per unit".
    pub base_mva: f64,
    pub buses: Vec<Bus>,
    pub generators: Vec<Generator>,
    pub branches: Vec<Branch>,
}

/// What is given at a bus; the rest is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// Demand is given; voltage is computed.
    Load,
    /// Active power and the voltage's magnitude are given.
    Generator,
    /// The voltage's magnitude and angle are given; its generator balances the network.
    Slack,
}

#[derive(Clone, Debug)]
pub struct Bus {
    /// The bus's name in the file.
    pub number: u64,
    pub kind: BusKind,
    /// Demand in MW and MVAr.
    pub demand: (f64, f64),
    /// Shunt to ground: MW consumed and MVAr injected at 1 per unit.
    pub shunt: (f64, f64),
    /// The published magnitude (per unit) and angle (degrees), rounded.
    pub published: (f64, f64),
    /// Admissible magnitudes, per unit.
    pub limits: (f64, f64),
}

/// A generator in service.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Its place in [`Case::buses`].
    pub bus: usize,
    /// Output in MW and MVAr; of the latter only that of a generator at a load bus counts.
    pub output: (f64, f64),
    /// Voltage set-point, per unit.
    pub set_point: f64,
}

/// A line or transformer in service.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Places in [`Case::buses`].
    pub ends: (usize, usize),
    /// Series resistance and reactance, and the line's whole charging susceptance, per unit.
    pub r: f64,
    pub x: f64,
    pub charging: f64,
    /// Turns ratio and phase shift (degrees) of the transformer at the first end.
    pub ratio: f64,
    pub shift: f64,
}

/// What is wrong with a case file, and where.
#[derive(Debug)]
pub struct CaseError {
    file: String,
    line: Option<usize>,
    message: String,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Error for CaseError {}

/// Reads a case file.
pub fn read(path: &Path) -> Result<Case, CaseError> {
    let file = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(e) => Err(CaseError { file, line: None, message: format!("cannot read the case file: {e}") }),
    }
}

/// Parses the text of a case file; `file` is its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Case, CaseError> {
    let named = |(line, message)| CaseError { file: file.to_string(), line, message };
    Fields::of(text).and_then(|fields| fields.case()).map_err(named)
}

/// A line, unless the mistake is that something is not there at all; and what is wrong.
type Fault = (Option<usize>, String);

fn at<T>(line: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err((Some(line), message.into()))
}

/// A row of a matrix, and the line that it stands on.
struct Row {
    field: &'static str,
    line: usize,
    numbers: Vec<f64>,
}

impl Row {
    fn of(field: &'static str, line: usize, text: &str, columns: usize) -> Result<Row, Fault> {
        let mut numbers = Vec::new();
        for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            match word.parse::<f64>() {
                Ok(x) if !x.is_nan() => numbers.push(x),
                Ok(_) | Err(_) => return at(line, format!("`{word}` in a row of `{field}` is not a number")),
            }
        }
        if numbers.len() < columns {
            let got = numbers.len();
            return at(line, format!("a row of `{field}` has {got} columns, expected at least {columns}"));
        }
        Ok(Row { field, line, numbers })
    }

    /// A number by its name and its column, counted from 0.
    fn number(&self, name: &str, column: usize) -> Result<f64, Fault> {
        let x = self.numbers[column];
        if x.is_finite() { Ok(x) } else { at(self.line, format!("`{name}` of `{}` is {x}", self.field)) }
    }

    fn whole(&self, name: &str, column: usize) -> Result<u64, Fault> {
        let x = self.number(name, column)?;
        if x >= 0.0 && x.fract() == 0.0 {
            Ok(x as u64)
        } else {
            at(self.line, format!("`{name}` of `{}` is {x}, expected a whole number", self.field))
        }
    }

    fn bus(&self, name: &str, column: usize, places: &HashMap<u64, usize>) -> Result<usize, Fault> {
        let number = self.whole(name, column)?;
        match places.get(&number) {
            Some(&place) => Ok(place),
            None => at(self.line, format!("`{name}` of `{}` is {number}, but no bus has this number", self.field)),
        }
    }
}

/// The matrices that count, by name, with the number of columns that a power flow reads.
const MATRICES: [(&str, usize); 3] = [("bus", 13), ("gen", 8), ("branch", 11)];

/// The file's fields, before anyone asks what they mean.
#[derive(Default)]
struct Fields {
    base_mva: Option<(usize, f64)>,
    rows: [Option<Vec<Row>>; 3],
}

impl Fields {
    fn of(text: &str) -> Result<Fields, Fault> {
        let mut fields = Fields::default();
        // The matrix that is open: its line, its place in `MATRICES` unless it is skipped, and what closes it.
        let mut open: Option<(usize, Option<usize>, char)> = None;
        for (i, line) in text.lines().enumerate() {
            let number = i + 1;
            let mut code = line.split('%').next().unwrap_or_default().trim();
            if open.is_none() {
                let Some((name, value)) = code.strip_prefix("mpc.").and_then(|c| c.split_once('=')) else { continue };
                let (name, value) = (name.trim(), value.trim());
                if name == "baseMVA" {
                    let value = value.trim_end_matches(';').trim();
                    match value.parse() {
                        Ok(x) => fields.base_mva = Some((number, x)),
                        Err(_) => return at(number, format!("`{value}` is not a number")),
                    }
                    continue;
                }
                let (close, rest) = match (value.strip_prefix('['), value.strip_prefix('{')) {
                    (Some(rest), _) => (']', rest),
                    (None, Some(rest)) => ('}', rest),
                    (None, None) => continue,
                };
                let which = MATRICES.iter().position(|(matrix, _)| *matrix == name);
                if let Some(which) = which
                    && fields.rows[which].replace(Vec::new()).is_some()
                {
                    return at(number, format!("`{name}` is given twice"));
                }
                open = Some((number, which, close));
                code = rest;
            }
            let Some((_, which, close)) = open else { continue };
            let (content, ends) = match code.split_once(close) {
                Some((content, _)) => (content, true),
                None => (code, false),
            };
            if let Some(which) = which {
                let (name, columns) = MATRICES[which];
                for row in content.split(';').filter(|row| !row.trim().is_empty()) {
                    fields.rows[which].get_or_insert_default().push(Row::of(name, number, row, columns)?);
                }
            }
            if ends {
                open = None;
            }
        }
        match open {
            None => Ok(fields),
            Some((line, _, close)) => at(line, format!("a matrix begins here and no `{close}` ends it")),
        }
    }

    fn case(self) -> Result<Case, Fault> {
        let missing = |name: &str| (None, format!("there is no `mpc.{name}`: is this a MATPOWER case?"));
        let (line, base_mva) = self.base_mva.ok_or_else(|| missing("baseMVA"))?;
        if !(base_mva.is_finite() && base_mva > 0.0) {
            return at(line, format!("`baseMVA` is {base_mva}, expected a positive number"));
        }
        let [buses, generators, branches] = self.rows;
        let buses = buses.ok_or_else(|| missing("bus"))?;
        let mut places = HashMap::new();
        for (place, row) in buses.iter().enumerate() {
            let number = row.whole("bus_i", 0)?;
            if places.insert(number, place).is_some() {
                return at(row.line, format!("bus {number} is given twice"));
            }
        }
        let mut case = Case {
            base_mva,
            buses: buses.iter().map(bus).collect::<Result<_, _>>()?,
            generators: Vec::new(),
            branches: Vec::new(),
        };
        for row in generators.ok_or_else(|| missing("gen"))? {
            let generator = Generator {
                bus: row.bus("bus", 0, &places)?,
                output: (row.number("Pg", 1)?, row.number("Qg", 2)?),
                set_point: row.number("Vg", 5)?,
            };
            if row.number("status", 7)? > 0.0 {
                case.generators.push(generator);
            }
        }
        for row in branches.ok_or_else(|| missing("branch"))? {
            if row.whole("status", 10)? > 0 {
                case.branches.push(branch(&row, &places)?);
            }
        }
        // A bus whose generators are all out of service holds no voltage.
        for (place, bus) in case.buses.iter_mut().enumerate() {
            if bus.kind == BusKind::Generator && case.generators.iter().all(|g| g.bus != place) {
                bus.kind = BusKind::Load;
            }
        }
        let slacks: Vec<usize> = (0..buses.len()).filter(|&i| case.buses[i].kind == BusKind::Slack).collect();
        match slacks[..] {
            [slack] if case.generators.iter().any(|g| g.bus == slack) => Ok(case),
            [slack] => at(buses[slack].line, "the slack bus (type 3) has no generator in service"),
            [] => Err((None, "no bus is the slack (type 3)".to_string())),
            [first, second, ..] => {
                let first = buses[first].line;
                at(buses[second].line, format!("a second slack bus (type 3); the first stands in line {first}"))
            }
        }
    }
}

fn bus(row: &Row) -> Result<Bus, Fault> {
    Ok(Bus {
        number: row.whole("bus_i", 0)?,
        kind: match row.whole("type", 1)? {
            1 => BusKind::Load,
            2 => BusKind::Generator,
            3 => BusKind::Slack,
            4 => return at(row.line, "an isolated bus (type 4) has no power flow; remove its row"),
            other => return at(row.line, format!("bus type {other}, expected 1 (load), 2 (generator) or 3 (slack)")),
        },
        demand: (row.number("Pd", 2)?, row.number("Qd", 3)?),
        shunt: (row.number("Gs", 4)?, row.number("Bs", 5)?),
        published: (row.number("Vm", 7)?, row.number("Va", 8)?),
        limits: (row.number("Vmin", 12)?, row.number("Vmax", 11)?),
    })
}

fn branch(row: &Row, places: &HashMap<u64, usize>) -> Result<Branch, Fault> {
    let ratio = row.number("ratio", 8)?;
    let branch = Branch {
        ends: (row.bus("fbus", 0, places)?, row.bus("tbus", 1, places)?),
        r: row.number("r", 2)?,
        x: row.number("x", 3)?,
        charging: row.number("b", 4)?,
        // 0 stands for a line, which has no transformer.
        ratio: if ratio == 0.0 { 1.0 } else { ratio },
        shift: row.number("angle", 9)?,
    };
    if branch.r == 0.0 && branch.x == 0.0 {
        return at(row.line, "a branch without impedance (`r` and `x` are 0); join its buses instead");
    }
    if branch.ends.0 == branch.ends.1 {
        return at(row.line, "a branch from a bus to itself");
    }
    Ok(branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "\
function mpc = small  % a comment
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
\t10\t3\t0\t0\t0\t0\t1\t1.02\t0\t0\t1\t1.06\t0.94;
\t7, 1, 50, 20, 0, 5, 1, 0.99, -2.5, 0, 1, 1.06, 0.94; % commas too
];
mpc.gen = [ 10 50 0 100 -100 1.02 100 1; 7 5 0 9 -9 1 100 0 ];
mpc.bus_name = {
\t'mpc.bus = [';
};
mpc.branch = [
\t10\t7\t0.01\t0.1\t0.02\t0\t0\t0\t0\t0\t1;
\t7\t10\t0.01\t0.1\t0.02\t0\t0\t0\t0.9\t0\t0
];
";

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(SMALL.contains(from), "the case has no `{from}`");
        assert_eq!(parse("small.m", &SMALL.replacen(from, to, 1)).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_counts_is_read() {
        let case = parse("small.m", SMALL).unwrap();
        assert_eq!((case.base_mva, case.buses.len(), case.generators.len(), case.branches.len()), (100.0, 2, 1, 1));
        assert_eq!((case.buses[1].kind, case.buses[1].demand), (BusKind::Load, (50.0, 20.0)));
        assert_eq!((case.generators[0].bus, case.generators[0].set_point), (0, 1.02));
        assert_eq!((case.branches[0].ends, case.branches[0].ratio), ((0, 1), 1.0));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        check("-2.5", "minus", "small.m:6: `minus` in a row of `bus` is not a number");
        check("0, 1, 1.06, 0.94; %", "; %", "small.m:6: a row of `bus` has 9 columns, expected at least 13");
        check("\t7, 1", "\t10, 1", "small.m:6: bus 10 is given twice");
        check("\t7, 1", "\t7, 3", "small.m:6: a second slack bus (type 3); the first stands in line 5");
        check("\t10\t3", "\t10\t1", "small.m: no bus is the slack (type 3)");
        check("\t7, 1", "\t7, 9", "small.m:6: bus type 9, expected 1 (load), 2 (generator) or 3 (slack)");
        check("50, 20", "inf, 20", "small.m:6: `Pd` of `bus` is inf");
        check("\t10\t7", "\t10\t8", "small.m:13: `tbus` of `branch` is 8, but no bus has this number");
        check(
            "\t0.01\t0.1",
            "\t0\t0",
            "small.m:13: a branch without impedance (`r` and `x` are 0); join its buses instead",
        );
        check("100 1;", "100 0;", "small.m:5: the slack bus (type 3) has no generator in service");
        check("= 100;", "= many;", "small.m:3: `many` is not a number");
        check("baseMVA", "base", "small.m: there is no `mpc.baseMVA`: is this a MATPOWER case?");
        check(
            "\t10\t0.01\t0.1\t0.02\t0\t0\t0\t0.9\t0\t0\n];",
            "",
            "small.m:14: a row of `branch` has 1 columns, expected at least 11",
        );
    }

    #[test]
    fn an_open_matrix_and_a_missing_file_are_errors() {
        let cut = SMALL.rfind("];").unwrap();
        let error = parse("small.m", &SMALL[..cut]).unwrap_err().to_string();
        assert_eq!(error, "small.m:12: a matrix begins here and no `]` ends it");
        let error = read(Path::new("no/such/case.m")).unwrap_err().to_string();
        assert!(error.starts_with("no/such/case.m: cannot read the case file: "), "{error}");
    }
}
