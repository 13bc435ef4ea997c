//! A circuit: inputs of both sides, gates in the order of their wires, outputs.

/// What a gate does with its wires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// The exclusive or of two wires: free.
    Xor(usize, usize),
    /// The and of two wires: a table of two rows.
    And(usize, usize),
    /// The negation of a wire: free.
    Not(usize),
}

/// The same circuit for every instance: the garbler's input wires, the evaluator's, then a wire for
/// each gate.
pub struct Circuit {
    /// Input bits of each side.
    pub inputs: usize,
    /// In the order of their wires; each takes wires before it.
    pub gates: Vec<Gate>,
    /// The wires that come out.
    pub outputs: Vec<usize>,
}

impl Circuit {
    /// A circuit from rows (what, wire, wire): 0 xor, 1 and, 2 not. None where it is none.
    pub fn new(inputs: usize, rows: &[[u32; 3]], outputs: &[u32]) -> Option<Self> {
        let mut gates = Vec::with_capacity(rows.len());
        for (wire, &[what, a, b]) in (2 * inputs..).zip(rows) {
            let (a, b) = (a as usize, b as usize);
            if a >= wire || b >= wire {
                return None;
            }
            gates.push(match what {
                0 => Gate::Xor(a, b),
                1 => Gate::And(a, b),
                2 => Gate::Not(a),
                _ => return None,
            });
        }
        let outputs: Vec<usize> = outputs.iter().map(|&wire| wire as usize).collect();
        let wires = 2 * inputs + gates.len();
        outputs.iter().all(|&wire| wire < wires).then_some(Circuit { inputs, gates, outputs })
    }

    /// All wires.
    pub fn wires(&self) -> usize {
        2 * self.inputs + self.gates.len()
    }

    /// Gates that take a table.
    pub fn ands(&self) -> usize {
        self.gates.iter().filter(|gate| matches!(gate, Gate::And(..))).count()
    }

    /// Labels of what the garbler sends at once, for so many instances: see [`super::garble`].
    pub fn sent(&self, instances: usize) -> usize {
        1 + 2 * (self.inputs + self.ands()) * instances
    }
}
