//! Garbled circuits, for Python.

use super::arguments::{Bytes, Given, Key, Words, check, refuse};
use super::results::Array;
use crate::ot::key::Key as Label;
use crate::yao::{circuit::Circuit, garble as kernel};
use numpy::PyArray;
use pyo3::prelude::*;

type Rows<'py> = Given<'py, u32, 2>;
type Wires<'py> = Given<'py, u32, 1>;

/// A circuit that both sides know: gates (n, 3) of what they do (0 xor, 1 and, 2 not) and two wires,
/// and the wires that come out.
#[pyclass(frozen)]
pub struct GarbledCircuit(Circuit);

fn words(labels: &[Label]) -> &[u64] {
    labels.as_flattened()
}

fn labels(words: &[u64]) -> Vec<Label> {
    words.as_chunks().0.to_vec()
}

/// Lines (2, n) of words as labels.
fn joined(lines: &[u64]) -> Vec<Label> {
    let (low, high) = lines.split_at(lines.len() / 2);
    low.iter().zip(high).map(|(low, high)| [*low, *high]).collect()
}

#[pymethods]
impl GarbledCircuit {
    #[new]
    fn new(inputs: usize, gates: Rows, outputs: Wires) -> PyResult<Self> {
        let [_, width] = gates.shape();
        check(width == 3, || format!("a gate has 3 numbers, not {width}"))?;
        let rows: Vec<[u32; 3]> = gates.as_chunks().0.to_vec();
        let circuit = Circuit::new(inputs, &rows, &outputs);
        circuit.map(GarbledCircuit).ok_or_else(|| refuse("the gates are no circuit".into()))
    }

    /// Words that the garbler sends at once for so many instances.
    fn sent_words(&self, instances: usize) -> usize {
        2 * self.0.sent(instances)
    }

    /// The garbler's part: what it sends at once, its labels for 0 of what it will be told (n, 2),
    /// the offset of labels (2,), and its shares of what comes out.
    #[allow(clippy::type_complexity)]
    fn garble(
        &self,
        py: Python,
        key: Key,
        bits: Bytes<2>,
        zero: Words<2>,
        one: Words<2>,
    ) -> PyResult<(Array<u64, 1>, Array<u64, 1>, Array<u64, 1>, Array<u8, 1>)> {
        let [inputs, instances] = bits.shape();
        check(inputs == self.0.inputs, || {
            format!("bits must have {} rows, not {inputs}", self.0.inputs)
        })?;
        for (given, name) in [(&zero, "zero"), (&one, "one")] {
            given.must_have([2, inputs * instances], name)?;
        }
        let (zero, one) = (joined(&zero), joined(&one));
        let (circuit, bits): (&Circuit, &[u8]) = (&self.0, &bits);
        let made =
            py.detach(|| kernel::garble(circuit, instances, &key.stream(), bits, [&zero, &one]));
        Ok((
            PyArray::from_slice(py, words(&made.sent)).unbind(),
            PyArray::from_slice(py, words(&made.zeros)).unbind(),
            PyArray::from_slice(py, &made.offset).unbind(),
            PyArray::from_slice(py, &made.shares).unbind(),
        ))
    }

    /// The evaluator's part: its shares of what comes out.
    fn evaluate(
        &self,
        py: Python,
        sent: Words,
        choices: Bytes<2>,
        chosen: Words<2>,
        given: Words,
    ) -> PyResult<Array<u8, 1>> {
        let [inputs, instances] = choices.shape();
        let count = inputs * instances;
        check(inputs == self.0.inputs, || {
            format!("choices must have {} rows, not {inputs}", self.0.inputs)
        })?;
        chosen.must_have([2, count], "chosen")?;
        given.must_have([2 * count], "given")?;
        sent.must_have([self.sent_words(instances)], "sent")?;
        let (sent, chosen, given) = (labels(&sent), joined(&chosen), labels(&given));
        let (circuit, choices): (&Circuit, &[u8]) = (&self.0, &choices);
        let shares =
            py.detach(|| kernel::evaluate(circuit, instances, &sent, choices, &chosen, &given));
        Ok(PyArray::from_slice(py, &shares).unbind())
    }
}
